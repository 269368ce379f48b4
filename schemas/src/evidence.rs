//! Evidence of incidents: the records around them, kept in files that hang on each other by their
//! hashes.

use serde::{Deserialize, Serialize};

use crate::chain::{Link, Linked};
use crate::time::EventTime;

/// Version of the wire form.
pub const EVIDENCE_SCHEMA: &str = "andon.evidence.v1";

/// One file of records that was kept: a line of `evidence/chain.jsonl`, and a part of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct EvidenceFile {
    /// Always `andon.evidence.v1`.
    pub schema: String,
    /// The incident.
    pub incident_id: String,
    /// Name of the file, in the folder of its incident.
    pub file: String,
    /// Records in it.
    pub rows: u64,
    /// Event time of the earliest.
    pub first: EventTime,
    /// Event time of the latest.
    pub last: EventTime,
    /// Length of the file, bytes.
    pub bytes: u64,
    /// SHA-256 of the file, lower-case hex.
    pub sha256: String,
    /// Its place among all that was kept.
    #[serde(flatten)]
    pub link: Link,
}

impl Linked for EvidenceFile {
    fn link(&self) -> &Link {
        &self.link
    }

    fn link_mut(&mut self) -> &mut Link {
        &mut self.link
    }
}

/// What was kept of an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Manifest {
    /// Always `andon.evidence.v1`.
    pub schema: String,
    /// The incident.
    pub incident_id: String,
    /// The site.
    pub site: String,
    /// Records that were not kept because there were too many of this incident.
    pub beyond: u64,
    /// Its files, in the order they were kept.
    pub files: Vec<EvidenceFile>,
}
