//! One file per command.

pub mod act;
pub mod advisories;
pub mod backtest;
pub mod bridge;
pub mod capture;
pub mod cluster;
pub mod demo;
pub mod devices;
pub mod enforce;
pub mod explain;
pub mod incident;
pub mod learn;
pub mod notify;
pub mod pdp;
pub mod profile;
pub mod publish;
pub mod query;
pub mod run;
pub mod shadow;
pub mod siem;
pub mod simulate;
pub mod token;
pub mod topics;
mod tried;
pub mod tune;
mod unread;

use std::path::Path;
use std::sync::Arc;

use andon_ingest::files::read_mapping;
use andon_schemas::mapping::Mapping;

use crate::exit::usage;

/// The mapping that was handed in, if one was.
fn mapping(path: Option<&Path>) -> anyhow::Result<Option<Arc<Mapping>>> {
    path.map(read_mapping).transpose().map_err(usage)
}
