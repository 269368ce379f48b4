//! Captured traffic put to use. The engine runs over it as it runs over live traffic; this crate holds
//! what is done with what comes out.

pub mod amend;
#[cfg(feature = "cluster")]
pub mod cluster;
pub mod compare;
pub mod learn;
pub mod play;
#[cfg(feature = "query")]
pub mod query;
pub mod report;
pub mod tune;
pub mod whole_file;
