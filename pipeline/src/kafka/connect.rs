//! What all clients of Kafka share: consumers, producers, and those that make and check topics.
//! What only one kind needs, it adds to [`Settings::client`].

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};
use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;
use rdkafka::producer::{BaseProducer, Producer as _, ProducerContext};

use super::security::{Identity, Sasl, Tls};
use super::settings::Settings;

/// How long one question waits before the reasons why nobody answers are looked at.
const ASK_FOR: Duration = Duration::from_millis(500);
/// How long they are listened to: each call without any time would hear only one.
const LISTEN_FOR: Duration = Duration::from_millis(20);
/// A connection on which a question has waited for so long is given up for another: the other side
/// may have vanished without a word. An answer may take a while on a slow line.
const ANSWERED_WITHIN: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(60);

/// How long whoever waits for a cluster lets it be between two questions: one that answers at once
/// that it cannot yet would be asked without an end.
pub const ASKED_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Nobody answered, which may pass: whoever can wait may ask again.
#[derive(Debug)]
pub struct Unreachable(String);

impl Unreachable {
    /// Says who does not answer, and what was heard last.
    pub fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }
}

/// Whether what a broker, or the client, answers passes by itself: somebody is away, or has just
/// come back.
pub fn may_pass(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::OperationTimedOut
            | RDKafkaErrorCode::RequestTimedOut
            | RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::AllBrokersDown
            | RDKafkaErrorCode::NetworkException
            | RDKafkaErrorCode::LeaderNotAvailable
            | RDKafkaErrorCode::NotController
            | RDKafkaErrorCode::BrokerNotAvailable
    )
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unreachable {}

impl Settings {
    /// What every client is told, under a name of its own: `andon-INSTANCE-ROLE`.
    pub fn client(&self, role: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        // As long as the group waits for us, we wait for the cluster.
        let (least, most) = ANSWERED_WITHIN.into_inner();
        let answered_within = self.session.clamp(least, most);
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", format!("andon-{}-{role}", self.instance))
            .set("security.protocol", self.security.protocol())
            // A peer that went away without a word is noticed, and one that came back soon tried.
            .set("socket.keepalive.enable", "true")
            .set("socket.timeout.ms", answered_within.as_millis().to_string())
            .set("socket.connection.setup.timeout.ms", "10000")
            .set("reconnect.backoff.ms", "100")
            .set("reconnect.backoff.max.ms", "2000")
            // Small requests, such as commits, leave at once.
            .set("socket.nagle.disable", "true");
        if let Some(tls) = &self.security.tls {
            encrypt(tls, &mut config);
        }
        if let Some(sasl) = &self.security.sasl {
            authenticate(sasl, &mut config);
        }
        config
    }

    /// Waits until the cluster answers, and returns what it tells of itself and of all its topics.
    ///
    /// # Errors
    /// Says why nobody answered: at once if waiting would not mend it, else after this long and
    /// as [`Unreachable`].
    pub fn reach(&self, role: &str, within: Duration) -> anyhow::Result<Metadata> {
        let deadline = Instant::now() + within;
        let producer: BaseProducer<Complaints> = self
            .client(role)
            // Why a connection ended is told to the log only.
            .set_log_level(RDKafkaLogLevel::Info)
            .create_with_context(Complaints::default())
            .map_err(|error| self.misconfigured(&error))?;
        let complaints = producer.context();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let asked = producer.client().fetch_metadata(None, ASK_FOR.min(left));
            let error = match asked {
                Ok(metadata) if !metadata.brokers().is_empty() => return Ok(metadata),
                Ok(_) => "it names no broker".to_owned(),
                Err(error) => code(&error),
            };
            producer.poll(LISTEN_FOR);
            if let Some(reason) = complaints.beyond_waiting() {
                let advice = self.advice(&reason);
                bail!(
                    "no connection to Kafka at `{}`: {reason}{advice}",
                    self.brokers
                );
            }
            if Instant::now() >= deadline {
                let reason = complaints.latest().unwrap_or(error);
                let words = format!(
                    "no answer from Kafka at `{}` within {within:?}: {reason}",
                    self.brokers
                );
                return Err(Unreachable::new(words).into());
            }
        }
    }

    /// What mends a refusal, where that is known.
    fn advice(&self, reason: &str) -> &'static str {
        let tls = self.security.tls.as_ref();
        let is_bare = tls.is_some_and(|tls| tls.identity.is_none());
        // Java 17 calls a certificate bad that was not even shown.
        let asks = ["alert certificate required", "alert bad certificate"];
        if is_bare && asks.iter().any(|alert| reason.contains(alert)) {
            "; the broker wants a certificate from its clients: name one in [kafka.tls], with \
             `certificate_file` and `key_file`, or with `keystore_file`"
        } else {
            ""
        }
    }

    /// Says what the client's library does not take, such as a key that is damaged.
    pub fn misconfigured(&self, error: &KafkaError) -> anyhow::Error {
        let reason = match error {
            KafkaError::ClientConfig(_, reason, key, _) if key.is_empty() => reason.clone(),
            KafkaError::ClientConfig(_, reason, key, _) => format!("{key}: {reason}"),
            KafkaError::ClientCreation(reason) => reason.clone(),
            other => other.to_string(),
        };
        anyhow!(
            "cannot make a client for Kafka at `{}`: {reason}",
            self.brokers
        )
    }
}

fn encrypt(tls: &Tls, config: &mut ClientConfig) {
    // The library brings its own OpenSSL, which does not know where this machine keeps them.
    let authorities = match &tls.authorities {
        Some(path) => path.to_string_lossy(),
        None => "probe".into(),
    };
    config
        .set("ssl.ca.location", authorities)
        .set("enable.ssl.certificate.verification", "true")
        .set("ssl.endpoint.identification.algorithm", "https");
    let password_of = match &tls.identity {
        None => return,
        Some(Identity::Pem { certificate, key }) => {
            config
                .set("ssl.certificate.location", certificate.to_string_lossy())
                .set("ssl.key.location", key.to_string_lossy());
            "ssl.key.password"
        }
        Some(Identity::Keystore(keystore)) => {
            config.set("ssl.keystore.location", keystore.to_string_lossy());
            "ssl.keystore.password"
        }
    };
    if let Some(password) = &tls.key_password {
        config.set(password_of, password.reveal());
    }
}

fn authenticate(sasl: &Sasl, config: &mut ClientConfig) {
    config
        .set("sasl.mechanism", sasl.mechanism.as_str())
        .set("sasl.username", &sasl.user)
        .set("sasl.password", sasl.password.reveal());
}

/// What a client says goes wrong while it tries on its own to get through.
#[derive(Debug, Default)]
pub struct Complaints(Mutex<Heard>);

#[derive(Clone, Debug, Default)]
struct Heard {
    latest: Option<String>,
    beyond_waiting: Option<String>,
}

impl Complaints {
    /// Takes one down.
    pub fn hear(&self, error: &KafkaError, reason: &str) {
        let reason = plainly(reason);
        let code = error.rdkafka_error_code();
        let is_refusal = match code {
            Some(RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed) => {
                true
            }
            // A handshake also breaks off because a broker is about to start or to end.
            _ => reason.contains("certificate") || reason.contains("SSL alert number"),
        };
        let mut heard = self.heard();
        if is_refusal {
            heard.beyond_waiting = Some(reason);
        } else if code != Some(RDKafkaErrorCode::AllBrokersDown) {
            // That one sums up what was said of each.
            heard.latest = Some(reason);
        }
    }

    /// The last one.
    pub fn latest(&self) -> Option<String> {
        self.heard().latest.clone()
    }

    /// One that does not go away by itself: a wrong password, a certificate nobody vouches for.
    pub fn beyond_waiting(&self) -> Option<String> {
        self.heard().beyond_waiting.clone()
    }

    fn heard(&self) -> std::sync::MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Complaints {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(facility, message, "Kafka");
        // Begins with the name of a thread.
        let told = message.split_once("]: ").map_or(message, |(_, rest)| rest);
        if facility == "FAIL" {
            self.heard().latest = Some(plainly(told));
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "Kafka");
        self.hear(&error, reason);
    }
}

impl ProducerContext for Complaints {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &rdkafka::message::DeliveryResult<'_>, (): ()) {}
}

/// The library's words without its counts of time and of repeats.
fn plainly(reason: &str) -> String {
    let end = reason.find("(after ").unwrap_or(reason.len());
    reason[..end].trim_end_matches([' ', ':']).to_owned()
}

fn code(error: &KafkaError) -> String {
    error
        .rdkafka_error_code()
        .map_or_else(|| error.to_string(), |code| code.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::settings::Section;

    fn settings(text: &str) -> Settings {
        let section: Section = toml::from_str(text).unwrap();
        section.check(Some("127.0.0.1:1")).unwrap().unwrap()
    }

    #[test]
    fn every_client_has_a_name_of_its_own() {
        let settings = settings("instance = \"cell-4\"");
        let config = settings.client("reader");
        assert_eq!(config.get("client.id"), Some("andon-cell-4-reader"));
        assert_eq!(config.get("bootstrap.servers"), Some("127.0.0.1:1"));
        assert_eq!(config.get("security.protocol"), Some("plaintext"));
    }

    #[test]
    fn a_refusal_is_told_from_what_may_pass() {
        let error = |code| KafkaError::Global(code);
        for (code, reason, is_refusal) in [
            (
                RDKafkaErrorCode::Authentication,
                "invalid credentials",
                true,
            ),
            (
                RDKafkaErrorCode::SSL,
                "broker certificate could not be verified",
                true,
            ),
            (
                RDKafkaErrorCode::SSL,
                "handshake failed: Disconnected",
                false,
            ),
            (
                RDKafkaErrorCode::BrokerTransportFailure,
                "SSL alert number 116",
                true,
            ),
            (
                RDKafkaErrorCode::BrokerTransportFailure,
                "Connection refused",
                false,
            ),
            (
                RDKafkaErrorCode::AllBrokersDown,
                "1/1 brokers are down",
                false,
            ),
        ] {
            let complaints = Complaints::default();
            complaints.hear(&error(code), reason);
            assert_eq!(
                complaints.beyond_waiting().is_some(),
                is_refusal,
                "{reason}"
            );
        }
    }

    #[test]
    fn words_of_the_library_lose_what_changes_from_time_to_time() {
        let told = "k:1/bootstrap: Connect failed: Connection refused (after 0ms in state CONNECT, \
                    1 identical error(s) suppressed)";
        assert_eq!(
            plainly(told),
            "k:1/bootstrap: Connect failed: Connection refused"
        );
    }

    #[test]
    fn nobody_at_the_address_is_said_in_time_and_with_the_reason() {
        let settings = settings("");
        let error = settings.reach("test", Duration::from_secs(1)).unwrap_err();
        assert!(error.is::<Unreachable>());
        let text = error.to_string();
        assert!(text.contains("`127.0.0.1:1` within 1s"), "{text}");
        assert!(text.contains("Connection refused"), "{text}");
    }
}
