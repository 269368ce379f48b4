//! Asks a running pipeline over HTTP, as the person at its machine or with a token that was given.

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use andon_emit::terminal::printable;
use anyhow::{Context as _, anyhow};
use serde::Deserialize;
use serde_json::Value;
use ureq::Agent;
use ureq::http::Uri;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::access::{OPERATOR_FILE, URL_FILE};
use crate::args::AskedArgs;
use crate::exit::usage;

/// How long an answer may take: longer than the run lets a decision wait.
const PATIENCE: Duration = Duration::from_secs(15);
/// A decision of which nothing was heard is asked for again so often; it is done once.
const TRIES: u32 = 3;
/// And after so long, longer each time.
const BREATH: Duration = Duration::from_millis(300);

/// Whom to ask.
pub struct Asker {
    agent: Agent,
    url: String,
    authorization: String,
}

impl std::fmt::Debug for Asker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asker")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// A problem document.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Told {
    title: String,
    detail: String,
}

impl Asker {
    /// Finds the run and the token.
    ///
    /// # Errors
    /// If a file cannot be read, or nothing says where the run is.
    pub fn of(args: &AskedArgs) -> anyhow::Result<Self> {
        let url = match &args.url {
            Some(url) => url.clone(),
            None => noted(&args.data, URL_FILE).with_context(|| {
                format!(
                    "nothing says where the run is served: it writes that into its data folder \
                     when it is started with --http, and `{}` has no such file; name it with --url",
                    args.data.display()
                )
            })?,
        };
        is_safe(&url)?;
        let token = match &args.token {
            Some(path) => read(path)?,
            None => noted(&args.data, OPERATOR_FILE)
                .context("there is no token: name a file that holds one with --token")?,
        };
        let mut tls = TlsConfig::builder();
        if let Some(path) = &args.ca {
            tls = tls.root_certs(roots(path)?);
        }
        let agent = Agent::config_builder()
            .tls_config(tls.build())
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .build()
            .new_agent();
        Ok(Self {
            agent,
            url: url.trim_end_matches('/').to_owned(),
            authorization: format!("Bearer {token}"),
        })
    }

    /// Asks.
    ///
    /// # Errors
    /// If nobody answers, or what the answer says is wrong.
    pub fn get(&self, path: &str) -> anyhow::Result<Value> {
        let request = self.agent.get(format!("{}{path}", self.url));
        let request = request.header("Authorization", &self.authorization);
        self.heard(request.call())
    }

    /// Asks for something to be done, under a name that makes it be done once. Where nothing is heard
    /// of it, it is asked for again.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn post(&self, path: &str, key: &str, body: &Value) -> anyhow::Result<Value> {
        let mut tries = 1;
        loop {
            let request = self.agent.post(format!("{}{path}", self.url));
            let request = request
                .header("Authorization", &self.authorization)
                .header("Content-Type", "application/json")
                .header("Idempotency-Key", key);
            match request.send(&body.to_string()) {
                Ok(answer) if answer.status() == 503 && tries < TRIES => {}
                Err(ureq::Error::Timeout(_)) if tries < TRIES => {}
                answer => return self.heard(answer),
            }
            std::thread::sleep(BREATH * tries);
            tries += 1;
        }
    }

    fn heard(
        &self,
        answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> anyhow::Result<Value> {
        let url = printable(&self.url);
        let mut answer = answer.with_context(|| {
            format!("no answer from {url}: is the run still there, and served with --http?")
        })?;
        let status = answer.status().as_u16();
        let body = answer
            .body_mut()
            .read_to_string()
            .with_context(|| format!("the answer of {url} broke off"))?;
        if status == 200 {
            return serde_json::from_str(&body)
                .with_context(|| format!("what {url} answers is no JSON"));
        }
        let told: Told = serde_json::from_str(&body).unwrap_or_default();
        let words = [told.detail, told.title]
            .into_iter()
            .find(|words| !words.is_empty())
            .unwrap_or_else(|| "it says no more".to_owned());
        let error = anyhow!("{words} (status {status} of {url})");
        // Whoever asked has to ask otherwise; where a state does not allow it, nothing is wrong with
        // the question.
        Err(match status {
            409 | 429 | 500.. => error,
            _ => usage(error),
        })
    }
}

/// An id as it stands in a path: ids hold nothing that would have to be escaped.
///
/// # Errors
/// If it is none.
pub fn plain(id: &str) -> anyhow::Result<&str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    if !id.is_empty() && id.chars().all(is_plain) {
        return Ok(id);
    }
    Err(usage(anyhow!("`{}` is no id", printable(id))))
}

/// A name for what is asked that nothing else has.
///
/// # Errors
/// If the system gives no randomness.
pub fn key() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow!("the system gives no randomness: {error}"))?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

/// A token is not sent where others on the way can read it.
fn is_safe(url: &str) -> anyhow::Result<()> {
    let uri: Uri = url
        .parse()
        .with_context(|| format!("`{}` is no URL", printable(url)))
        .map_err(usage)?;
    let host = uri.host().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_here = bare.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    match uri.scheme_str() {
        Some("https") => Ok(()),
        Some("http") if is_here => Ok(()),
        Some("http") => Err(usage(anyhow!(
            "the token would be sent to {} for everybody on the way to read: use https://",
            printable(host)
        ))),
        _ => Err(usage(anyhow!(
            "`{}` begins with neither http:// nor https://",
            printable(url)
        ))),
    }
}

/// What a run wrote into its data folder.
fn noted(folder: &Path, name: &str) -> anyhow::Result<String> {
    read(&folder.join(name))
}

fn read(path: &Path) -> anyhow::Result<String> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("cannot read `{}`", path.display()))
        .map_err(usage)?;
    Ok(text.trim().to_owned())
}

fn roots(path: &Path) -> anyhow::Result<RootCerts> {
    let bytes = fs::read(path)
        .with_context(|| format!("cannot read `{}`", path.display()))
        .map_err(usage)?;
    let mut found: Vec<Certificate<'static>> = Vec::new();
    for item in parse_pem(&bytes) {
        if let PemItem::Certificate(certificate) = item.map_err(usage)? {
            found.push(certificate);
        }
    }
    if found.is_empty() {
        return Err(usage(anyhow!("`{}` holds no certificate", path.display())));
    }
    Ok(RootCerts::from(found))
}
