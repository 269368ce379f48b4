//! The `[kafka]` section of the configuration.
//!
//! ```toml
//! [kafka]
//! brokers = "127.0.0.1:9092"           # or several, with commas between them
//! prefix = "andon"                     # of the topics, as in `andon.observations.v1`
//! group = "andon"                      # processes of one group share the partitions
//! instance = "andon-1"                 # stable name of this process [default: the host's name]
//! delivery = "exactly_once"            # or "low_latency"
//! epoch = "500ms"                      # one transaction every so often, 200 ms to 1 s
//! session = "45s"                      # a process that is silent for so long loses its partitions
//! snapshot = "30s"                     # the state is saved every so often
//! protocol = "classic"                 # or "consumer" (KIP-848, Kafka 4)
//! partitioner = "any"                  # or "murmur2" (Java) or "crc32" (librdkafka): what else is refused
//! trusted_producers = false            # only those may write who say truly who sent a record, or who answers
//! # registry = "http://127.0.0.1:8081" # where schemas of Avro payloads are
//! # registry_ca = "registry.pem"       # what its certificate must be signed by
//! ```
//!
//! For `[kafka.tls]` and `[kafka.sasl]` see [`super::security`].

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::anyhow;
use serde::Deserialize;

use super::partitioner::Partitioner;
use super::security::{SaslSection, Security, TlsSection};
use crate::args::parse_duration;

/// How a run uses Kafka.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `bootstrap.servers`.
    pub brokers: String,
    /// What the names of our topics begin with.
    pub prefix: String,
    /// Name of the consumer group.
    pub group: String,
    /// Stable name of this process within the group.
    pub instance: String,
    /// What is promised of what comes out.
    pub delivery: Delivery,
    /// One epoch, and in exactly-once mode one transaction, every so often.
    pub epoch: Duration,
    /// A process that is silent for so long loses its partitions.
    pub session: Duration,
    /// The state is saved every so often.
    pub snapshot: Duration,
    /// How the group divides the partitions.
    pub protocol: Protocol,
    /// How producers choose the partition of a device; the same in all processes of the group.
    pub partitioner: Partitioner,
    /// Producers say truly who sent a record: the cluster's rules let nobody else write.
    pub trusted_producers: bool,
    /// Base address of a schema registry.
    pub registry: Option<String>,
    /// Certificates, PEM, that the registry's must be signed by.
    pub registry_ca: Option<PathBuf>,
    /// What protects the connections.
    pub security: Security,
}

/// What is promised of what comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Read-committed readers see everything exactly once, an epoch later.
    ExactlyOnce,
    /// Readers see everything at once and, after a failure, some of it again, with the same ids
    /// and revisions.
    LowLatency,
}

/// How the group divides the partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Cooperative-sticky, divided by a member.
    Classic,
    /// KIP-848, divided by the broker.
    Consumer,
}

/// The section as it is written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Section {
    brokers: Option<String>,
    prefix: Option<String>,
    group: Option<String>,
    instance: Option<String>,
    delivery: Option<String>,
    epoch: Option<String>,
    session: Option<String>,
    snapshot: Option<String>,
    protocol: Option<String>,
    partitioner: Option<String>,
    trusted_producers: bool,
    registry: Option<String>,
    registry_ca: Option<PathBuf>,
    tls: Option<TlsSection>,
    sasl: Option<SaslSection>,
}

impl FromStr for Delivery {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "exactly_once" => Ok(Self::ExactlyOnce),
            "low_latency" => Ok(Self::LowLatency),
            _ => Err(format!("`{text}` is none of exactly_once, low_latency")),
        }
    }
}

impl FromStr for Protocol {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "classic" => Ok(Self::Classic),
            "consumer" => Ok(Self::Consumer),
            _ => Err(format!("`{text}` is none of classic, consumer")),
        }
    }
}

/// How long brokers let a session be that they decide on, unless they are told otherwise
/// (`group.consumer.max.session.timeout.ms`).
const SESSION_OF_BROKERS: Duration = Duration::from_secs(60);
/// How long the group may take to divide partitions anew once somebody is missed.
const DIVIDED_WITHIN: Duration = Duration::from_secs(10);

impl Settings {
    /// After so long the partitions of a process that has ended are somebody else's.
    pub fn missed_after(&self) -> Duration {
        let session = match self.protocol {
            Protocol::Classic => self.session,
            Protocol::Consumer => self.session.max(SESSION_OF_BROKERS),
        };
        session + DIVIDED_WITHIN
    }
}

impl Section {
    /// What it comes to; `None` if neither it nor the command line names a broker.
    ///
    /// # Errors
    /// Names the key that holds something else than it should.
    pub fn check(&self, brokers: Option<&str>) -> anyhow::Result<Option<Settings>> {
        let Some(brokers) = brokers.or(self.brokers.as_deref()) else {
            return Ok(None);
        };
        let delivery = parsed("delivery", self.delivery.as_deref())?;
        let protocol = parsed("protocol", self.protocol.as_deref())?;
        let partitioner = parsed("partitioner", self.partitioner.as_deref())?;
        let instance = match &self.instance {
            Some(instance) => name("instance", instance)?,
            None => host_name(),
        };
        let group = self.group.as_deref().unwrap_or("andon");
        Ok(Some(Settings {
            brokers: brokers.to_owned(),
            prefix: name("prefix", self.prefix.as_deref().unwrap_or("andon"))?,
            group: name("group", group)?,
            instance,
            delivery: delivery.unwrap_or(Delivery::ExactlyOnce),
            epoch: time("epoch", self.epoch.as_deref(), 500, 20..=10_000)?,
            session: time(
                "session",
                self.session.as_deref(),
                45_000,
                6_000..=1_800_000,
            )?,
            snapshot: time(
                "snapshot",
                self.snapshot.as_deref(),
                30_000,
                100..=3_600_000,
            )?,
            protocol: protocol.unwrap_or(Protocol::Classic),
            partitioner: partitioner.unwrap_or_default(),
            trusted_producers: self.trusted_producers,
            registry: self.registry.clone(),
            registry_ca: self.registry_ca.clone(),
            security: self.security()?,
        }))
    }

    fn security(&self) -> anyhow::Result<Security> {
        let security = Security {
            tls: self.tls.as_ref().map(TlsSection::check).transpose()?,
            sasl: self.sasl.as_ref().map(SaslSection::check).transpose()?,
        };
        if let Some(warning) = security.warning() {
            tracing::warn!("{warning}");
        }
        Ok(security)
    }
}

fn parsed<T: FromStr<Err = String>>(key: &str, text: Option<&str>) -> anyhow::Result<Option<T>> {
    text.map(str::parse)
        .transpose()
        .map_err(|e| anyhow!("kafka.{key}: {e}"))
}

/// A name that ends up in ids of groups and transactions.
fn name(key: &str, text: &str) -> anyhow::Result<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if text.is_empty() || text.len() > 100 || !text.chars().all(fits) {
        return Err(anyhow!(
            "kafka.{key}: `{text}` is not 1 to 100 letters, digits, dots, dashes and underscores"
        ));
    }
    Ok(text.to_owned())
}

fn time(
    key: &str,
    text: Option<&str>,
    default_ms: u64,
    range_ms: std::ops::RangeInclusive<u64>,
) -> anyhow::Result<Duration> {
    let time = match text {
        None => Duration::from_millis(default_ms),
        Some(text) => {
            let seconds = parse_duration(text).map_err(|e| anyhow!("kafka.{key}: {e}"))?;
            Duration::from_secs_f64(seconds)
        }
    };
    let [low, high] = [range_ms.start(), range_ms.end()].map(|ms| Duration::from_millis(*ms));
    if !(low..=high).contains(&time) {
        return Err(anyhow!(
            "kafka.{key}: {time:?} is not between {low:?} and {high:?}"
        ));
    }
    Ok(time)
}

/// The name of this host, or a fixed one where it cannot be told.
fn host_name() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name("instance", text.trim()).unwrap_or_else(|_| "andon".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(text: &str) -> anyhow::Result<Settings> {
        let section: Section = toml::from_str(text)?;
        Ok(section.check(Some("k:9092"))?.unwrap())
    }

    #[test]
    fn what_is_not_said_has_a_safe_default() {
        let settings = section("").unwrap();
        assert_eq!(settings.delivery, Delivery::ExactlyOnce);
        assert!(!settings.trusted_producers);
        assert_eq!(settings.partitioner, Partitioner::Any);
        assert_eq!(settings.epoch, Duration::from_millis(500));
        assert!(Section::default().check(None).unwrap().is_none());
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_key() {
        for (text, words) in [
            ("delivery = \"twice\"", "kafka.delivery: `twice`"),
            ("protocol = \"x\"", "kafka.protocol"),
            ("partitioner = \"fnv1a\"", "kafka.partitioner: `fnv1a`"),
            ("epoch = \"1h\"", "kafka.epoch"),
            ("instance = \"a b\"", "kafka.instance: `a b`"),
            ("group = \"\"", "kafka.group"),
        ] {
            let error = section(text).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
