//! The audit trail, and what else a topic holds, as a client that is not ours reads it.

use std::collections::BTreeMap;

use andon_schemas::audit::AuditEntry;
use andon_schemas::chain::Chain;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::Value;

use super::{PARTITIONS, Site, futures_now};

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

    /// The keys of every committed record of a topic.
    pub(crate) fn keys(&self, topic: &str) -> Vec<String> {
        let topic = self.topic(topic);
        let committed = "isolation.level=read_committed";
        let args = [
            "-C", "-t", &topic, "-e", "-q", "-f", "%k\\n", "-X", committed,
        ];
        let output = self.kcat(&args).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().map(str::to_owned).collect()
    }

    /// Deletes all records that a topic holds, as its retention would.
    pub(crate) fn delete_all(&self, topic: &str) {
        let admin: AdminClient<_> = ClientConfig::new()
            .set("bootstrap.servers", &self.addresses)
            .create()
            .unwrap();
        let mut ends = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            ends.add_partition_offset(&self.topic(topic), partition, Offset::End)
                .unwrap();
        }
        futures_now(admin.delete_records(&ends, &AdminOptions::new())).unwrap();
    }
}
