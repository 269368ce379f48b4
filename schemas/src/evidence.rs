//! Evidence of incidents: the records around them, kept in files that hang on each other by their
//! hashes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::chain::{Link, Linked};
use crate::time::EventTime;

/// Version of the wire form.
pub const EVIDENCE_SCHEMA: &str = "andon.evidence.v1";

/// How far a topic was read for an incident.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Reach {
    /// The records until here, event time, were looked for.
    pub until: EventTime,
    /// Of each partition that was read the offset at which it was read no further.
    pub next: BTreeMap<i32, i64>,
    /// And, if one before it was left out because it is of later than that, the first of those.
    pub left: BTreeMap<i32, i64>,
}

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
    /// How far the topic was read until it was written; absent where none is read again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reach: Option<Reach>,
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
    /// Records of the topic, of this incident's devices or of others, that its retention had deleted
    /// before they were read.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub deleted: u64,
    /// How far the topic was read; absent where none is read again, and before it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reach: Option<Reach>,
    /// Its files, in the order they were kept.
    pub files: Vec<EvidenceFile>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
