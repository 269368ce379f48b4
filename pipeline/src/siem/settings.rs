//! A section `[[siem]]` of the configuration; there may be several.
//!
//! ```toml
//! [[siem]]
//! to = "tls://siem.example:6514"       # udp://, tcp://, https://, http://, or file:PATH
//! name = "soc"                         # of its folder and its counts [default: by where it goes]
//! form = "syslog"                      # ocsf, ecs, cef, syslog, ndjson
//! min_grade = "MEDIUM"                 # episodes that never were as bad are not told [default: LOW]
//! only_alerts = false                  # only episodes that the plant's alert_budget lets through
//! spool = "256 MB"                     # what may wait on disk; beyond, the oldest are lost, counted
//! ca = "ca.pem"                        # for tls and https [default: whom browsers trust]
//! certificate = "andon.pem"            # for tls: ours, for receivers that ask for it
//! key = "andon.key"
//! framing = "octets"                   # for tcp and tls, or "lines"
//! confirm = "close"                    # for tcp and tls, or "nothing": see below
//! enterprise = 32473                   # your private enterprise number, in syslog
//! facility = 16                        # of syslog; 16 is local0
//! host = "analytics-1"                 # [default: this host's name]
//! secret_file = "webhook.secret"       # for https: what bodies are signed with; or secret_env
//! authorization_env = "SIEM_TOKEN"     # for https: the header Authorization; or authorization_file
//! rotate = "100 MB"                    # for files: when one is put aside
//! keep = 10                            # for files: how many are kept beside
//! ```
//!
//! Syslog has no acknowledgement. With `confirm = "close"` a connection is ended when it was quiet
//! for a moment, and what was sent over it counts as arrived when the receiver ends it as well;
//! what was sent over one that broke is sent again. What a receiver has read and holds in memory is
//! its own to lose: an rsyslog that is to keep everything when it is killed wants a queue of type
//! `Direct`, or one on disk.

use std::fs::File;
use std::io::Read as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use andon_emit::hook::HookOptions;
use andon_emit::outlet::{SPOOL_BYTES, Way};
use andon_emit::siem::way::{
    Confirm, Datagrams, FileOptions, Files, Framing, StreamOptions, Streams, TlsOptions, Webhook,
    WebhookOptions,
};
use andon_emit::siem::{Form, OutletOptions, Writer};
use andon_schemas::grade::Grade;
use andon_schemas::quantity::{Dimension, amount};
use andon_schemas::verdict::Verdict;
use anyhow::{Context as _, anyhow, bail};
use serde::Deserialize;

#[cfg(test)]
mod tests;

/// The section as it is written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Section {
    to: String,
    name: Option<String>,
    form: Option<String>,
    min_grade: Option<String>,
    only_alerts: bool,
    spool: Option<String>,
    ca: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    framing: Option<String>,
    confirm: Option<String>,
    enterprise: Option<u32>,
    facility: Option<u8>,
    host: Option<String>,
    secret_file: Option<PathBuf>,
    secret_env: Option<String>,
    authorization_file: Option<PathBuf>,
    authorization_env: Option<String>,
    rotate: Option<String>,
    keep: Option<u32>,
}

/// What an outlet is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What it tells, and what may wait.
    pub options: OutletOptions,
    /// Who writes.
    pub writer: Writer,
    to: Target,
}

#[derive(Clone, Debug)]
enum Target {
    Datagrams { address: String, form: Form },
    Stream(StreamOptions),
    Webhook(WebhookOptions),
    File(FileOptions),
}

impl Settings {
    /// The way to the receiver. Nothing is opened yet.
    ///
    /// # Errors
    /// If a file of it cannot be used.
    pub fn way(&self) -> anyhow::Result<Box<dyn Way<Verdict>>> {
        let writer = self.writer.clone();
        let name = &self.options.name;
        let in_section = || format!("siem {name}");
        Ok(match &self.to {
            Target::Datagrams { address, form } => Box::new(Datagrams::to(address, *form, writer)),
            Target::Stream(options) => {
                Box::new(Streams::new(options.clone(), writer).with_context(in_section)?)
            }
            Target::Webhook(options) => {
                Box::new(Webhook::new(options.clone(), writer).with_context(in_section)?)
            }
            Target::File(options) => Box::new(Files::new(options.clone(), writer)),
        })
    }
}

impl Section {
    /// What it comes to.
    ///
    /// # Errors
    /// Names the key that holds something else than it should, or that has no meaning here.
    pub fn check(&self) -> anyhow::Result<Settings> {
        let to = self.target()?;
        let name = match &self.name {
            Some(name) => name.clone(),
            None => default_name(&to).to_owned(),
        };
        let fits = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
        if name.is_empty() || name.len() > 64 || !name.chars().all(fits) {
            bail!("name: `{name}` is not 1 to 64 letters, digits, dashes and underscores");
        }
        let mut writer = super::writer();
        writer.enterprise = self.enterprise.unwrap_or(writer.enterprise);
        writer.facility = self.facility.unwrap_or(writer.facility);
        if writer.facility > 23 {
            bail!("facility: {} is not 0 to 23", writer.facility);
        }
        if let Some(host) = &self.host {
            writer.host.clone_from(host);
        }
        let min_grade = self
            .min_grade
            .as_deref()
            .map(str::parse::<Grade>)
            .transpose();
        Ok(Settings {
            options: OutletOptions {
                name,
                min_grade: min_grade
                    .map_err(|e| anyhow!("min_grade: {e}"))?
                    .unwrap_or(Grade::Low),
                only_alerts: self.only_alerts,
                spool_bytes_max: bytes("spool", self.spool.as_deref(), SPOOL_BYTES)?,
            },
            writer,
            to,
        })
    }

    fn target(&self) -> anyhow::Result<Target> {
        let to = self.to.as_str();
        let (scheme, rest) = to.split_once(':').unwrap_or_default();
        let address = rest.trim_start_matches("//");
        match scheme {
            "udp" => {
                self.only("udp", &[])?;
                let form = self.form(Form::Syslog)?;
                if form.is_json() {
                    bail!(
                        "form: a datagram has no room for `{}`; take syslog or cef",
                        form.as_str()
                    );
                }
                Ok(Target::Datagrams {
                    address: host_and_port("to", address)?,
                    form,
                })
            }
            "tcp" => {
                self.only("tcp", &["framing", "confirm"])?;
                self.stream(address, None)
            }
            "tls" => {
                self.only("tls", &["framing", "confirm", "ca", "certificate", "key"])?;
                let identity = match (&self.certificate, &self.key) {
                    (None, None) => None,
                    (Some(certificate), Some(key)) => Some((certificate.clone(), key.clone())),
                    _ => bail!("`certificate` and `key` go together"),
                };
                let ca = self.ca.clone();
                self.stream(address, Some(TlsOptions { ca, identity }))
            }
            "http" | "https" => self.webhook(scheme),
            "file" => {
                self.only("file", &["rotate", "keep"])?;
                if rest.is_empty() {
                    bail!("to: `file:` wants a path behind it");
                }
                Ok(Target::File(FileOptions {
                    path: PathBuf::from(rest),
                    form: self.form(Form::Ndjson)?,
                    bytes_max: bytes("rotate", self.rotate.as_deref(), 100_000_000)?,
                    keep: self.keep.unwrap_or(10),
                }))
            }
            _ => bail!(
                "to: `{to}` begins with none of udp://, tcp://, tls://, https://, http://, file:"
            ),
        }
    }

    fn stream(&self, address: &str, tls: Option<TlsOptions>) -> anyhow::Result<Target> {
        let framing = match self.framing.as_deref() {
            None | Some("octets") => Framing::Octets,
            Some("lines") => Framing::Lines,
            Some(other) => bail!("framing: `{other}` is none of octets, lines"),
        };
        let confirm = match self.confirm.as_deref() {
            None | Some("close") => Confirm::Close,
            Some("nothing") => Confirm::Nothing,
            Some(other) => bail!("confirm: `{other}` is none of close, nothing"),
        };
        Ok(Target::Stream(StreamOptions {
            address: host_and_port("to", address)?,
            tls,
            framing,
            confirm,
            form: self.form(Form::Syslog)?,
        }))
    }

    fn webhook(&self, scheme: &str) -> anyhow::Result<Target> {
        let secrets = [
            "secret_file",
            "secret_env",
            "authorization_file",
            "authorization_env",
        ];
        self.only(scheme, &[&secrets[..], &["ca"]].concat())?;
        let hook = HookOptions {
            url: self.to.clone(),
            secret: secret(
                "secret",
                self.secret_file.as_ref(),
                self.secret_env.as_ref(),
            )?,
            authorization: secret(
                "authorization",
                self.authorization_file.as_ref(),
                self.authorization_env.as_ref(),
            )?,
            ca: self.ca.clone(),
        };
        let form = self.form(Form::Ocsf)?;
        if scheme == "http" && !is_loopback(&self.to) {
            tracing::warn!(
                "siem: verdicts, and what authorizes them, go out over http, where anybody on the way \
                 can read them: take https"
            );
        }
        Ok(Target::Webhook(WebhookOptions { hook, form }))
    }

    fn form(&self, default: Form) -> anyhow::Result<Form> {
        let form = self.form.as_deref().map(str::parse).transpose();
        Ok(form
            .map_err(|e: String| anyhow!("form: {e}"))?
            .unwrap_or(default))
    }

    /// Keys that mean nothing on a way are errors: somebody relies on them.
    fn only(&self, scheme: &str, allowed: &[&str]) -> anyhow::Result<()> {
        let given = [
            ("ca", self.ca.is_some()),
            ("certificate", self.certificate.is_some()),
            ("key", self.key.is_some()),
            ("framing", self.framing.is_some()),
            ("confirm", self.confirm.is_some()),
            ("secret_file", self.secret_file.is_some()),
            ("secret_env", self.secret_env.is_some()),
            ("authorization_file", self.authorization_file.is_some()),
            ("authorization_env", self.authorization_env.is_some()),
            ("rotate", self.rotate.is_some()),
            ("keep", self.keep.is_some()),
        ];
        match given
            .iter()
            .find(|(key, is_given)| *is_given && !allowed.contains(key))
        {
            Some((key, _)) => bail!("{key}: it means nothing for `{scheme}:`"),
            None => Ok(()),
        }
    }
}

const fn default_name(to: &Target) -> &'static str {
    match to {
        Target::Datagrams { .. } => "udp",
        Target::Stream(StreamOptions { tls: None, .. }) => "tcp",
        Target::Stream(_) => "tls",
        Target::Webhook(_) => "webhook",
        Target::File(_) => "file",
    }
}

pub(crate) fn host_and_port(key: &str, address: &str) -> anyhow::Result<String> {
    let port = address
        .rsplit_once(':')
        .map(|(host, port)| (host, port.parse::<u16>()));
    match port {
        Some((host, Ok(_))) if !host.is_empty() => Ok(address.to_owned()),
        _ => bail!("{key}: `{address}` is not `host:port`"),
    }
}

/// Whether an address of HTTP names this host itself, and not one whose name begins like it.
pub(crate) fn is_loopback(url: &str) -> bool {
    let rest = url.trim_start_matches("http://");
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or(rest);
    let host = match authority.strip_prefix('[') {
        Some(literal) => literal.split(']').next(),
        None => authority.split(':').next(),
    };
    let host = host.unwrap_or_default();
    let is_own = host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    // Behind a name and a password stands another host.
    !authority.contains('@') && (host == "localhost" || is_own)
}

pub(crate) fn bytes(key: &str, text: Option<&str>, default: u64) -> anyhow::Result<u64> {
    let Some(text) = text else {
        return Ok(default);
    };
    let bytes = amount(text, Dimension::Bytes).map_err(|e| anyhow!("{key}: {e}"))?;
    // Sizes are whole numbers far below 2^53.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is between the bounds"
    )]
    match bytes {
        1e3..=1e15 => Ok(bytes as u64),
        _ => bail!("{key}: `{text}` is not between 1 KB and 1 PB"),
    }
}

/// Longest file of a secret, bytes.
const SECRET_BYTES_MAX: u64 = 64 << 10;

/// The text of a short file.
fn short_text(path: &Path) -> anyhow::Result<String> {
    let file = File::open(path)?;
    let mut text = String::new();
    let mut bounded = file.take(SECRET_BYTES_MAX + 1);
    bounded.read_to_string(&mut text)?;
    if text.len() as u64 > SECRET_BYTES_MAX {
        bail!("it has more than {SECRET_BYTES_MAX} bytes");
    }
    Ok(text)
}

/// A secret from a file or from the environment. It is told nowhere.
pub(crate) fn secret(
    what: &str,
    file: Option<&PathBuf>,
    variable: Option<&String>,
) -> anyhow::Result<Option<String>> {
    let text = match (file, variable) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => bail!("`{what}_file` and `{what}_env` exclude each other"),
        (Some(path), None) => short_text(path)
            .with_context(|| format!("{what}_file: cannot read `{}`", path.display()))?,
        (None, Some(variable)) => std::env::var(variable)
            .map_err(|_| anyhow!("{what}_env: the environment holds no `{variable}`"))?,
    };
    let text = text.trim().to_owned();
    if text.is_empty() || text.contains(|c: char| c.is_control()) {
        bail!("{what}: what it names is empty, or more than one line");
    }
    Ok(Some(text))
}
