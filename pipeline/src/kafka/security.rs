//! How a connection to Kafka is encrypted and who it says we are: the sections `[kafka.tls]` and
//! `[kafka.sasl]`, which [`super::settings`] is part of and [`super::connect`] hands to the client.
//!
//! ```toml
//! [kafka.tls]                          # empty: the machine's own certificate authorities
//! ca_file = "ca.pem"                   # who may vouch for a broker
//! certificate_file = "andon.pem"       # ours, with its key, if brokers ask for one
//! key_file = "andon.key"
//! # keystore_file = "andon.p12"        # or both in one PKCS #12 file
//! # key_password_file = "key.password" # if the key, or the keystore, is encrypted
//!
//! [kafka.sasl]
//! mechanism = "SCRAM-SHA-512"          # or "SCRAM-SHA-256", or "PLAIN"
//! user = "andon"
//! password_file = "kafka.password"     # or password_env = "KAFKA_PASSWORD"
//! ```
//!
//! Files are read, and found wanting, before anybody is connected to.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context as _, anyhow, bail};
use serde::Deserialize;

/// What protects a connection; by default nothing does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Security {
    /// Encryption, if there is any.
    pub tls: Option<Tls>,
    /// Name and password, if they are asked for.
    pub sasl: Option<Sasl>,
}

/// Encryption, and who has to prove what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Certificates of those who may vouch for a broker, PEM; else the machine's own.
    pub authorities: Option<PathBuf>,
    /// What we prove ourselves with.
    pub identity: Option<Identity>,
    /// What the key of the identity is encrypted with.
    pub key_password: Option<Secret>,
}

/// A certificate of ours and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// Two PEM files.
    Pem {
        /// The certificate, with the chain that leads to its authority.
        certificate: PathBuf,
        /// Its private key.
        key: PathBuf,
    },
    /// One PKCS #12 file.
    Keystore(PathBuf),
}

/// Who we say we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sasl {
    /// How the password is proved.
    pub mechanism: Mechanism,
    /// Name of the user.
    pub user: String,
    /// Their password.
    pub password: Secret,
}

/// How a password is proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// It is sent as it is.
    Plain,
    /// Challenge and response over SHA-256.
    ScramSha256,
    /// Challenge and response over SHA-512.
    ScramSha512,
}

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// For the client alone.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

impl Mechanism {
    /// Its name, as Kafka writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

impl FromStr for Mechanism {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Plain, Self::ScramSha256, Self::ScramSha512];
        let found = all.into_iter().find(|one| one.as_str() == text);
        found.ok_or_else(|| format!("`{text}` is none of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512"))
    }
}

impl Security {
    /// `security.protocol`.
    pub fn protocol(&self) -> &'static str {
        match (&self.tls, &self.sasl) {
            (None, None) => "plaintext",
            (Some(_), None) => "ssl",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), Some(_)) => "sasl_ssl",
        }
    }

    /// What works but should not be left as it is.
    pub fn warning(&self) -> Option<&'static str> {
        let is_plain = |sasl: &Sasl| sasl.mechanism == Mechanism::Plain;
        let is_bare = self.tls.is_none() && self.sasl.as_ref().is_some_and(is_plain);
        is_bare.then_some(
            "kafka.sasl: the password crosses the network as it is: add [kafka.tls], or use SCRAM",
        )
    }
}

/// `[kafka.tls]` as it is written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_field_names,
    reason = "these are the keys as they are written"
)]
pub(super) struct TlsSection {
    ca_file: Option<PathBuf>,
    certificate_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
    keystore_file: Option<PathBuf>,
    key_password_file: Option<PathBuf>,
}

/// `[kafka.sasl]` as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SaslSection {
    mechanism: String,
    user: String,
    password_file: Option<PathBuf>,
    password_env: Option<String>,
}

impl TlsSection {
    /// What it comes to, if its files can be read and hold what they should.
    pub(super) fn check(&self) -> anyhow::Result<Tls> {
        if let Some(path) = &self.ca_file {
            holds("ca_file", path, "CERTIFICATE-----", "certificate")?;
        }
        let identity = self.identity()?;
        if identity.is_none() && self.key_password_file.is_some() {
            bail!("kafka.tls: `key_password_file` without a key; add `key_file`");
        }
        let key_password = match &self.key_password_file {
            None => None,
            Some(path) => Some(password("tls.key_password_file", path)?),
        };
        Ok(Tls {
            authorities: self.ca_file.clone(),
            identity,
            key_password,
        })
    }

    fn identity(&self) -> anyhow::Result<Option<Identity>> {
        match (&self.certificate_file, &self.key_file, &self.keystore_file) {
            (None, None, None) => Ok(None),
            (Some(certificate), Some(key), None) => {
                holds(
                    "certificate_file",
                    certificate,
                    "CERTIFICATE-----",
                    "certificate",
                )?;
                holds("key_file", key, "PRIVATE KEY-----", "private key")?;
                Ok(Some(Identity::Pem {
                    certificate: certificate.clone(),
                    key: key.clone(),
                }))
            }
            (None, None, Some(keystore)) => {
                read("tls.keystore_file", keystore)?;
                Ok(Some(Identity::Keystore(keystore.clone())))
            }
            (Some(_), None, None) => Err(anyhow!(
                "kafka.tls: `certificate_file` without its key; add `key_file`"
            )),
            (None, Some(_), None) => Err(anyhow!(
                "kafka.tls: `key_file` without its certificate; add `certificate_file`"
            )),
            (_, _, Some(_)) => Err(anyhow!(
                "kafka.tls: `keystore_file` holds certificate and key; `certificate_file` and \
                 `key_file` exclude it"
            )),
        }
    }
}

impl SaslSection {
    /// What it comes to, if there is a password.
    pub(super) fn check(&self) -> anyhow::Result<Sasl> {
        let mechanism = self
            .mechanism
            .parse()
            .map_err(|e| anyhow!("kafka.sasl.mechanism: {e}"))?;
        if self.user.is_empty() {
            bail!("kafka.sasl.user: a name is missing");
        }
        let password = match (&self.password_file, &self.password_env) {
            (Some(path), None) => password("sasl.password_file", path)?,
            (None, Some(variable)) => from_environment(variable)?,
            (None, None) => bail!(
                "kafka.sasl: no password for user `{}`; add `password_file` or `password_env`",
                self.user
            ),
            (Some(_), Some(_)) => {
                bail!("kafka.sasl: `password_file` and `password_env` exclude each other; keep one")
            }
        };
        Ok(Sasl {
            mechanism,
            user: self.user.clone(),
            password,
        })
    }
}

fn read(key: &str, path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("kafka.{key}: cannot read `{}`", path.display()))
}

/// Insists that a file has a part of this kind. What is damaged inside, the client finds.
fn holds(key: &str, path: &Path, mark: &str, what: &str) -> anyhow::Result<()> {
    let bytes = read(&format!("tls.{key}"), path)?;
    if !String::from_utf8_lossy(&bytes).contains(mark) {
        bail!(
            "kafka.tls.{key}: `{}` holds no {what} in PEM format",
            path.display()
        );
    }
    Ok(())
}

/// A password is the only line of a file; editors end it.
fn password(key: &str, path: &Path) -> anyhow::Result<Secret> {
    let bytes = read(key, path)?;
    let place = || format!("kafka.{key}: `{}`", path.display());
    let text = String::from_utf8(bytes).map_err(|_| anyhow!("{} is not UTF-8", place()))?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(anyhow!("{} is empty", place())),
        line if line.contains('\n') => Err(anyhow!("{} has more than one line", place())),
        line => Ok(Secret::new(line)),
    }
}

fn from_environment(variable: &str) -> anyhow::Result<Secret> {
    match std::env::var(variable) {
        Ok(text) if !text.is_empty() => Ok(Secret::new(text)),
        _ => Err(anyhow!(
            "kafka.sasl.password_env: environment variable `{variable}` is not set"
        )),
    }
}

#[cfg(test)]
mod tests;
