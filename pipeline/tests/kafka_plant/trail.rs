//! The audit trail as a client that is not ours reads it.

use std::collections::BTreeMap;

use andon_schemas::audit::AuditEntry;
use andon_schemas::chain::Chain;
use serde_json::Value;

use super::Site;

impl Site {
    /// The entries of the audit trail, whose chains hold from their beginning, each entry once.
    pub(crate) fn trail(&self) -> Vec<Value> {
        let entries = self.read("audit");
        let mut chains: BTreeMap<i64, Chain> = BTreeMap::new();
        let mut of_chain: BTreeMap<i64, u64> = BTreeMap::new();
        for entry in &entries {
            let number = entry["chain"].as_i64().unwrap();
            let read: AuditEntry = serde_json::from_value(entry.clone()).unwrap();
            chains.entry(number).or_default().follow(&read).unwrap();
            *of_chain.entry(number).or_default() += 1;
        }
        for (number, chain) in &chains {
            assert_eq!(chain.number, of_chain[number], "entries of chain {number}");
        }
        entries
    }
}
