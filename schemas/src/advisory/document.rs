//! The parts of a CSAF 2.0 document that are read. Everything else in it is passed over.

use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Document {
    #[serde(rename = "document")]
    pub(super) head: Option<Head>,
    pub(super) product_tree: Tree,
    pub(super) vulnerabilities: Vec<Vulnerability>,
    /// What a feed or the data of a provider have.
    pub(super) feed: Option<serde::de::IgnoredAny>,
    pub(super) distributions: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Head {
    pub(super) csaf_version: String,
    pub(super) title: String,
    pub(super) publisher: Publisher,
    pub(super) references: Vec<Reference>,
    pub(super) tracking: Tracking,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Publisher {
    pub(super) namespace: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Tracking {
    pub(super) id: String,
    pub(super) current_release_date: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Reference {
    pub(super) category: String,
    pub(super) url: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Tree {
    pub(super) branches: Vec<Branch>,
    pub(super) full_product_names: Vec<FullName>,
    pub(super) relationships: Vec<Relationship>,
    pub(super) product_groups: Vec<Group>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Branch {
    pub(super) category: String,
    pub(super) name: String,
    pub(super) branches: Vec<Branch>,
    pub(super) product: Option<FullName>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FullName {
    pub(super) name: String,
    pub(super) product_id: String,
    pub(super) product_identification_helper: Helper,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Helper {
    pub(super) model_numbers: Vec<String>,
    pub(super) skus: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Relationship {
    pub(super) full_product_name: FullName,
    /// What is installed.
    pub(super) product_reference: String,
    /// On what.
    pub(super) relates_to_product_reference: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Group {
    pub(super) group_id: String,
    pub(super) product_ids: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Vulnerability {
    pub(super) cve: String,
    pub(super) ids: Vec<Id>,
    pub(super) title: String,
    pub(super) cwe: Option<Weakness>,
    pub(super) product_status: Statuses,
    pub(super) scores: Vec<Score>,
    pub(super) remediations: Vec<Remediation>,
    pub(super) references: Vec<Reference>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Id {
    pub(super) text: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Weakness {
    pub(super) name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Statuses {
    pub(super) known_affected: Vec<String>,
    pub(super) first_affected: Vec<String>,
    pub(super) last_affected: Vec<String>,
    pub(super) under_investigation: Vec<String>,
    pub(super) known_not_affected: Vec<String>,
    pub(super) fixed: Vec<String>,
    pub(super) first_fixed: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Score {
    pub(super) products: Vec<String>,
    pub(super) cvss_v3: Option<Cvss>,
    pub(super) cvss_v2: Option<Cvss>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Cvss {
    pub(super) base_score: Option<f64>,
    pub(super) base_severity: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Remediation {
    pub(super) category: String,
    pub(super) details: String,
    pub(super) product_ids: Vec<String>,
    pub(super) group_ids: Vec<String>,
}
