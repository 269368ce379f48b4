//! A set of topics of a test's own on a cluster that other tests use too: `andon topics` at work on
//! it, and hands that do not know its table.

use std::fs;
use std::time::{Duration, Instant};

use andon::config;
use andon::kafka::topics;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier};
use rdkafka::admin::{TopicReplication, TopicResult};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use serde_json::Value;
use tempfile::TempDir;

use crate::kafka_broker::Cluster;
use crate::plant;

/// Long enough that only a hang reaches it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A set of topics of a test's own, on a cluster that others use too.
pub(crate) struct Installation {
    folder: TempDir,
    prefix: &'static str,
    address: String,
}

/// What a command ended with.
pub(crate) struct Ended {
    pub(crate) status: Option<i32>,
    pub(crate) printed: String,
    pub(crate) complaint: String,
}

impl Installation {
    pub(crate) fn on(cluster: &Cluster, prefix: &'static str) -> Self {
        Self::at(cluster.addresses(), prefix, "")
    }

    /// One that is reached with more settings than where it is.
    pub(crate) fn at(address: &str, prefix: &'static str, settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = format!("[kafka]\nbrokers = \"{address}\"\nprefix = \"{prefix}\"\n{settings}");
        fs::write(folder.path().join("andon.toml"), text).unwrap();
        Self {
            folder,
            prefix,
            address: address.to_owned(),
        }
    }

    fn name(&self, holds: &str) -> String {
        format!("{}.{holds}.v1", self.prefix)
    }

    pub(crate) fn topics(&self, args: &[&str]) -> Ended {
        let ended = plant::andon()
            .arg("topics")
            .args(args)
            .arg("-c")
            .arg(self.folder.path().join("andon.toml"))
            .output()
            .unwrap();
        Ended {
            status: ended.status.code(),
            printed: String::from_utf8(ended.stdout).unwrap(),
            complaint: String::from_utf8(ended.stderr).unwrap(),
        }
    }

    pub(crate) fn create(&self, args: &[&str]) -> Value {
        let ended = self.topics(&[&["create", "-o", "json"], args].concat());
        assert_eq!(ended.status, Some(0), "{}", ended.complaint);
        serde_json::from_str(&ended.printed).unwrap()
    }

    /// Whether all is well, and the problems of the topics, as `topic: what`.
    pub(crate) fn check(&self) -> (bool, Vec<String>) {
        let ended = self.topics(&["check", "-o", "json"]);
        let told: Value = serde_json::from_str(&ended.printed).expect(&ended.complaint);
        let is_well = told["ok"].as_bool().unwrap();
        assert_eq!(ended.status, Some(i32::from(!is_well)));
        let problems = told["topics"].as_array().unwrap().iter().flat_map(|topic| {
            let problems = topic["problems"].as_array().unwrap().iter();
            let name = topic["topic"].as_str().unwrap();
            problems.map(move |problem| format!("{name}: {}", problem["what"].as_str().unwrap()))
        });
        (is_well, problems.collect())
    }

    /// Checks again until what it says is as it should be.
    pub(crate) fn check_until(&self, is_so: impl Fn(bool, &[String]) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (is_well, problems) = self.check();
            if is_so(is_well, &problems) {
                return;
            }
            assert!(Instant::now() < deadline, "{problems:?}");
        }
    }

    /// What a run would find.
    pub(crate) fn demand(&self) -> anyhow::Result<topics::Partitions> {
        let path = self.folder.path().join("andon.toml");
        topics::demand(&config::kafka(Some(&path), None).unwrap(), PATIENCE)
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.address);
        config.create().unwrap()
    }

    /// Makes a topic as somebody else would who does not know our table.
    pub(crate) fn make(&self, holds: &str, partitions: i32, settings: &[(&str, &str)]) {
        let name = self.name(holds);
        let topic = NewTopic::new(&name, partitions, TopicReplication::Fixed(-1));
        let topic = settings
            .iter()
            .fold(topic, |topic, (key, value)| topic.set(key, value));
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let made = wait(self.admin().create_topics([&topic], &options)).unwrap();
        made.into_iter().collect::<TopicResult>().unwrap();
    }

    pub(crate) fn alter(&self, holds: &str, key: &str, value: &str) {
        let name = self.name(holds);
        let change = AlterConfig::new(ResourceSpecifier::Topic(&name)).set(key, value);
        let altered = wait(self.admin().alter_configs([&change], &AdminOptions::new()));
        assert!(altered.unwrap().iter().all(Result::is_ok));
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(future)
}
