//! A section `[[notify]]` of the configuration; there may be several.
//!
//! ```toml
//! [[notify]]
//! kind = "webhook"
//! url = "https://plant.example/notices"
//! secret_file = "webhook.secret"       # what bodies are signed with; or secret_env
//! authorization_env = "NOTICE_TOKEN"   # the header Authorization; or authorization_file
//! ca = "ca.pem"                        # [default: whom browsers trust]
//!
//! [[notify]]
//! kind = "mail"
//! server = "mail.plant.example:587"
//! security = "starttls"                # or "tls"; "none" for a server on this host only
//! ca = "ca.pem"                        # [default: whom browsers trust]
//! user = "andon"                       # if the server asks who we are
//! password_file = "mail.password"      # or password_env
//! from = "Andon <andon@plant.example>"
//! to = ["Schichtleitung <shift@plant.example>", "ops@plant.example"]
//!
//! # Both:
//! name = "shift"                       # of its folder and its counts [default: its kind]
//! min_action = "isolate"               # milder ones are not told [default: restrict]
//! spool = "16 MB"                      # what may wait on disk; beyond, the oldest are lost, counted
//! ```
//!
//! A notice is told at least once. A webhook takes it as `andon.notice.v1`, signed as Standard Webhooks
//! 1.0 says, by a `webhook-id` of its command, where that stands and what became of its release; a
//! mail has the same in its `Message-ID`. What is sent again, after a crash for one, has the same id again. Everybody in `to`
//! has a spool of his own in the data folder, `notify/NAME/ADDRESS`: a mailbox that is full keeps
//! nobody else waiting.

use std::path::PathBuf;

use andon_emit::hook::HookOptions;
use andon_emit::http;
use andon_emit::notify::{Letterhead, Mail, MailOptions, Mailbox, NoticeHook, Security, Server};
use andon_emit::outlet::Way;
use andon_emit::tls::TlsOptions;
use andon_schemas::command::Action;
use andon_schemas::notice::Notice;
use anyhow::{Context as _, anyhow, bail};
use serde::Deserialize;

use crate::siem::settings::{bytes, host_and_port, is_loopback, secret};

#[cfg(test)]
mod tests;

/// What a spool holds unless it is told.
const SPOOL_BYTES: u64 = 16 * 1_024 * 1_024;
/// Most people that a section names.
const PEOPLE_MAX: usize = 50;

/// The section as it is written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Section {
    kind: String,
    name: Option<String>,
    min_action: Option<String>,
    spool: Option<String>,
    ca: Option<PathBuf>,
    url: Option<String>,
    secret_file: Option<PathBuf>,
    secret_env: Option<String>,
    authorization_file: Option<PathBuf>,
    authorization_env: Option<String>,
    server: Option<String>,
    security: Option<String>,
    user: Option<String>,
    password_file: Option<PathBuf>,
    password_env: Option<String>,
    from: Option<String>,
    to: Option<Vec<String>>,
}

/// What an outlet is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Of its folder and its counts.
    pub name: String,
    /// Notices of milder actions are not told.
    pub min_action: Action,
    /// Most bytes that wait, for each receiver.
    pub spool_bytes_max: u64,
    to: Target,
}

#[derive(Clone, Debug)]
enum Target {
    Webhook(HookOptions),
    Mail(MailOptions),
}

/// A way for notices, and the name of the outlet that it is of.
pub type NamedWay = (String, Box<dyn Way<Notice>>);

impl Settings {
    /// The ways to its receivers. Nothing is opened yet.
    ///
    /// # Errors
    /// If a file of one cannot be used.
    pub fn ways(&self) -> anyhow::Result<Vec<NamedWay>> {
        let name = &self.name;
        let in_section = || format!("notify {name}");
        match &self.to {
            Target::Webhook(options) => {
                let hook = NoticeHook::new(options.clone(), env!("CARGO_PKG_VERSION"));
                let hook = hook.with_context(in_section)?;
                Ok(vec![(name.clone(), Box::new(hook))])
            }
            Target::Mail(options) => {
                let people = options.letterhead.to.iter();
                let ways = people.map(|one| {
                    let mail = Mail::new(options.clone(), one.clone());
                    let mail = mail.with_context(in_section)?;
                    let name = format!("{name}/{}", one.address());
                    Ok((name, Box::new(mail) as Box<dyn Way<Notice>>))
                });
                ways.collect()
            }
        }
    }
}

impl Section {
    /// What it comes to.
    ///
    /// # Errors
    /// Names the key that holds something else than it should, or that has no meaning here.
    pub fn check(&self) -> anyhow::Result<Settings> {
        let to = match self.kind.as_str() {
            "webhook" => self.webhook()?,
            "mail" => self.mail()?,
            other => bail!("kind: `{other}` is none of webhook, mail"),
        };
        let name = self.name.clone().unwrap_or_else(|| self.kind.clone());
        let fits = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
        if name.is_empty() || name.len() > 64 || !name.chars().all(fits) {
            bail!("name: `{name}` is not 1 to 64 letters, digits, dashes and underscores");
        }
        let min_action = match self.min_action.as_deref().map(str::parse::<Action>) {
            None => Action::Restrict,
            Some(Ok(action)) if action >= Action::Restrict => action,
            Some(Ok(action)) => bail!(
                "min_action: nobody is notified of `{}`, which blocks nothing; take restrict, \
                 isolate or quarantine",
                action.as_str()
            ),
            Some(Err(error)) => bail!("min_action: {error}"),
        };
        Ok(Settings {
            name,
            min_action,
            spool_bytes_max: bytes("spool", self.spool.as_deref(), SPOOL_BYTES)?,
            to,
        })
    }

    fn webhook(&self) -> anyhow::Result<Target> {
        self.only(&[
            "url",
            "secret_file",
            "secret_env",
            "authorization_file",
            "authorization_env",
        ])?;
        let url = wanted("url", self.url.as_ref())?;
        http::check(url).map_err(|error| anyhow!("url: {error}"))?;
        if url.starts_with("http:") && !is_loopback(url) {
            tracing::warn!(
                "notify: notices, and what authorizes them, go out over http, where anybody on the \
                 way can read them: take https"
            );
        }
        Ok(Target::Webhook(HookOptions {
            url: url.clone(),
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
        }))
    }

    fn mail(&self) -> anyhow::Result<Target> {
        self.only(&[
            "server",
            "security",
            "user",
            "password_file",
            "password_env",
            "from",
            "to",
        ])?;
        let address = wanted("server", self.server.as_ref())?;
        let address = host_and_port("server", address)?;
        let security = match self.security.as_deref() {
            None | Some("starttls") => Security::StartTls,
            Some("tls") => Security::Tls,
            Some("none") if is_loopback(&format!("http://{address}")) => Security::None,
            Some("none") => bail!(
                "security: `none` is for a server on this host, and `{address}` is on another: \
                 anybody on the way could read along"
            ),
            Some(other) => bail!("security: `{other}` is none of starttls, tls, none"),
        };
        if security == Security::None && self.ca.is_some() {
            bail!("ca: it means nothing with security `none`");
        }
        let from = wanted("from", self.from.as_ref())?;
        Ok(Target::Mail(MailOptions {
            server: Server {
                address,
                security,
                credentials: self.credentials()?,
            },
            tls: TlsOptions {
                ca: self.ca.clone(),
                identity: None,
            },
            letterhead: Letterhead {
                from: from.parse().map_err(|error| anyhow!("from: {error}"))?,
                to: self.people()?,
            },
        }))
    }

    fn credentials(&self) -> anyhow::Result<Option<(String, String)>> {
        let password = secret(
            "password",
            self.password_file.as_ref(),
            self.password_env.as_ref(),
        )?;
        match (&self.user, password) {
            (None, None) => Ok(None),
            (Some(user), Some(_)) if user.is_empty() || user.contains(char::is_control) => {
                bail!("user: it is empty, or more than one line")
            }
            (Some(user), Some(password)) => Ok(Some((user.clone(), password))),
            (Some(_), None) => bail!("user: it wants `password_file` or `password_env` beside it"),
            (None, Some(_)) => bail!("user: it is missing beside the password"),
        }
    }

    fn people(&self) -> anyhow::Result<Vec<Mailbox>> {
        let mut people: Vec<Mailbox> = Vec::new();
        for text in wanted("to", self.to.as_ref())? {
            let one: Mailbox = text.parse().map_err(|error| anyhow!("to: {error}"))?;
            let is_same = |known: &Mailbox| known.address().eq_ignore_ascii_case(one.address());
            if people.iter().any(is_same) {
                bail!("to: `{}` is there twice", one.address());
            }
            people.push(one);
        }
        match people.len() {
            0 => bail!("to: nobody is named"),
            1..=PEOPLE_MAX => Ok(people),
            more => bail!(
                "to: {more} people are more than {PEOPLE_MAX}; take an address that \
                           stands for all of them"
            ),
        }
    }

    /// Keys that mean nothing for a kind are errors: somebody relies on them.
    fn only(&self, allowed: &[&str]) -> anyhow::Result<()> {
        let given = [
            ("url", self.url.is_some()),
            ("secret_file", self.secret_file.is_some()),
            ("secret_env", self.secret_env.is_some()),
            ("authorization_file", self.authorization_file.is_some()),
            ("authorization_env", self.authorization_env.is_some()),
            ("server", self.server.is_some()),
            ("security", self.security.is_some()),
            ("user", self.user.is_some()),
            ("password_file", self.password_file.is_some()),
            ("password_env", self.password_env.is_some()),
            ("from", self.from.is_some()),
            ("to", self.to.is_some()),
        ];
        let mut given = given.iter();
        match given.find(|(key, is_given)| *is_given && !allowed.contains(key)) {
            Some((key, _)) => bail!("{key}: it means nothing for the kind `{}`", self.kind),
            None => Ok(()),
        }
    }
}

fn wanted<'a, T>(key: &str, value: Option<&'a T>) -> anyhow::Result<&'a T> {
    value.ok_or_else(|| anyhow!("{key}: it is missing"))
}
