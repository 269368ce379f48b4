//! The schema registry: schemas by number, over HTTP, asked once each.
//!
//! Whoever may write to the topic chooses the numbers, and the thread that asks is the one that
//! reads. So the time spent asking and the number of questions are bounded for every span of
//! [`Options::retry`], and a registry that does not answer is left alone for one.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Deserialize;
use ureq::Agent;
use ureq::http::Uri;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::Options;
use super::kept::Kept;
use super::shape::Shape;

/// Most bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 256 * 1024;

/// Most schemas that are kept, and most numbers known to be unknown.
const SCHEMAS_MAX: usize = 1_024;

/// Most questions in one span.
const QUESTIONS_MAX: u32 = 64;

/// Most time spent asking in one span, in answers that take as long as they may.
const PATIENCES_MAX: u32 = 2;

/// Why a registry cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// Its address is none.
    #[error("schema registry `{address}` is not an address: {reason}")]
    Address {
        /// The address, without what stands before its `@`.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The certificates it must be signed by cannot be read.
    #[error("cannot read the schema registry's certificates `{path}`: {reason}")]
    Certificates {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// What a schema is written in.
#[derive(Debug)]
pub(super) enum Language {
    /// Avro, compiled.
    Avro(Shape),
    /// JSON Schema: the body is JSON, and its own checks are stricter.
    Json,
    /// What is not read, and why.
    Unreadable(String),
}

/// What the registry says of a number.
#[derive(Debug)]
pub(super) enum Answer<'a> {
    /// This is the schema.
    Known(&'a Language),
    /// There is none.
    Unknown,
    /// It says nothing, and why.
    Silent(String),
}

/// A registry and what it said.
pub(super) struct Registry {
    agent: Agent,
    /// Its address, without credentials, without a final slash.
    base: String,
    authorization: Option<String>,
    patience: Duration,
    retry: Duration,
    known: BTreeMap<u32, Language>,
    kept: Kept,
    /// Numbers without a schema, and when to ask again.
    unknown: BTreeMap<u32, Instant>,
    /// Until when it is left alone, and what it did last.
    silent: Option<(Instant, String)>,
    span: Span,
}

/// Questions asked since a moment.
#[derive(Debug)]
struct Span {
    began: Instant,
    questions: u32,
    spent: Duration,
}

impl Span {
    fn now() -> Self {
        Self {
            began: Instant::now(),
            questions: 0,
            spent: Duration::ZERO,
        }
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Neither the credentials nor the client that could print them.
        f.debug_struct("Registry")
            .field("base", &self.base)
            .field("known", &self.known.len())
            .field("silent", &self.silent)
            .finish_non_exhaustive()
    }
}

impl Registry {
    /// A registry at this address. It is not asked before it is needed.
    pub(super) fn new(address: &str, options: &Options) -> Result<Self, RegistryError> {
        let (base, credentials) = parted(address);
        let wrong = |reason: &str| RegistryError::Address {
            address: base.clone(),
            reason: reason.to_owned(),
        };
        let uri: Uri = base.parse().map_err(|e| wrong(&format!("{e}")))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(wrong("it begins with neither `http://` nor `https://`"));
        }
        if uri.host().is_none_or(str::is_empty) {
            return Err(wrong("it names no host"));
        }
        if uri.query().is_some() {
            return Err(wrong("it must not hold a `?`"));
        }
        let mut tls = TlsConfig::builder();
        if let Some(path) = &options.registry_ca {
            tls = tls.root_certs(roots(path)?);
        }
        let agent = Agent::config_builder()
            .tls_config(tls.build())
            .timeout_global(Some(options.patience))
            .http_status_as_error(false)
            // It is asked at the address it was given, and nowhere else.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .build()
            .new_agent();
        let base = base.trim_end_matches('/').to_owned();
        Ok(Self {
            agent,
            kept: Kept::of(options.schemas.as_deref(), &base),
            base,
            authorization: credentials.map(|credentials| basic(&credentials)),
            patience: options.patience,
            retry: options.retry,
            known: BTreeMap::new(),
            unknown: BTreeMap::new(),
            silent: None,
            span: Span::now(),
        })
    }

    /// The schema of this number, asked for if that is due.
    pub(super) fn schema(&mut self, id: u32) -> Answer<'_> {
        if !self.known.contains_key(&id)
            && let Err(why) = self.learn(id)
        {
            return Answer::Silent(why);
        }
        self.known.get(&id).map_or(Answer::Unknown, Answer::Known)
    }

    /// Takes a schema from the disk or the registry, if there is one.
    fn learn(&mut self, id: u32) -> Result<(), String> {
        if self.known.len() >= SCHEMAS_MAX {
            return Err(format!("was asked for more than {SCHEMAS_MAX} schemas"));
        }
        let kept = self.kept.get(id).and_then(|answer| language(&answer).ok());
        if let Some(language) = kept {
            self.known.insert(id, language);
        } else if self.may_ask(id)? {
            match self.ask(id) {
                Ok(Some(language)) => {
                    self.known.insert(id, language);
                }
                Ok(None) => {
                    self.unknown.insert(id, Instant::now() + self.retry);
                }
                Err(why) => {
                    tracing::warn!("schema registry {} {why}", self.base);
                    self.silent = Some((Instant::now() + self.retry, why.clone()));
                    return Err(why);
                }
            }
        }
        Ok(())
    }

    /// Whether to ask; not for what it lately said it does not know, nor while it is left alone.
    fn may_ask(&mut self, id: u32) -> Result<bool, String> {
        let now = Instant::now();
        if let Some((until, why)) = &self.silent
            && now < *until
        {
            return Err(why.clone());
        }
        if self.unknown.get(&id).is_some_and(|until| now < *until) {
            return Ok(false);
        }
        if self.span.began.elapsed() >= self.retry {
            self.span = Span::now();
            self.unknown.retain(|_, until| now < *until);
        }
        if self.unknown.len() >= SCHEMAS_MAX
            || self.span.questions >= QUESTIONS_MAX
            || self.span.spent >= self.patience * PATIENCES_MAX
        {
            return Err("was asked too often of late".to_owned());
        }
        Ok(true)
    }

    /// Asks; `None` if there is no such schema.
    fn ask(&mut self, id: u32) -> Result<Option<Language>, String> {
        let began = Instant::now();
        let answer = self.get(id);
        self.span.questions += 1;
        self.span.spent += began.elapsed();
        match answer? {
            (200, body) => {
                let language = language(&body)?;
                self.kept.put(id, &body);
                Ok(Some(language))
            }
            (404, _) => Ok(None),
            (301 | 302 | 303 | 307 | 308, _) => {
                Err("answers with a redirect; configure the address it redirects to".to_owned())
            }
            (401 | 403, _) => {
                Err("refuses our credentials; configure `user:password@` in its address".to_owned())
            }
            (status, _) => Err(format!("answers with status {status}")),
        }
    }

    fn get(&self, id: u32) -> Result<(u16, Vec<u8>), String> {
        let mut request = self
            .agent
            .get(format!("{}/schemas/ids/{id}", self.base))
            .header("Accept", "application/vnd.schemaregistry.v1+json");
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let mut response = request.call().map_err(|e| self.cause(&e))?;
        let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX);
        let body = body.read_to_vec().map_err(|e| self.cause(&e))?;
        Ok((response.status().as_u16(), body))
    }

    fn cause(&self, error: &ureq::Error) -> String {
        match error {
            ureq::Error::Timeout(_) => format!("does not answer within {:?}", self.patience),
            ureq::Error::HostNotFound => "has a host that is not known".to_owned(),
            ureq::Error::BodyExceedsLimit(most) => format!("answers with more than {most} bytes"),
            other => format!("cannot be asked: {other}"),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    schema: String,
    #[serde(default)]
    schema_type: Option<String>,
    #[serde(default)]
    references: Vec<serde::de::IgnoredAny>,
}

/// Reads an answer. What is no answer of a registry may be one later; a schema stays as it is.
fn language(answer: &[u8]) -> Result<Language, String> {
    let told: Told = serde_json::from_slice(answer)
        .map_err(|e| format!("answers like no schema registry: {e}"))?;
    Ok(match told.schema_type.as_deref() {
        None | Some("AVRO") if !told.references.is_empty() => Language::Unreadable(
            "refers to other schemas, which is not read: register it with its types inside"
                .to_owned(),
        ),
        None | Some("AVRO") => match Shape::parse(&told.schema) {
            Ok(shape) => Language::Avro(shape),
            Err(why) => Language::Unreadable(why),
        },
        Some("JSON") => Language::Json,
        Some(other) => Language::Unreadable(format!("is written in {other}, which is not read")),
    })
}

/// The address without its credentials, and those.
fn parted(address: &str) -> (String, Option<String>) {
    let address = address.trim();
    let start = address.find("://").map_or(0, |at| at + 3);
    let end = address[start..]
        .find(['/', '?', '#'])
        .map_or(address.len(), |at| start + at);
    match address[start..end].rfind('@') {
        Some(at) => {
            let credentials = decoded(&address[start..start + at]);
            let base = format!("{}{}", &address[..start], &address[start + at + 1..]);
            (base, Some(credentials))
        }
        None => (address.to_owned(), None),
    }
}

/// A text without its percent signs: a password may hold what an address may not.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let escaped = (*byte == b'%')
            .then(|| after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok()))
            .flatten()
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        rest = if escaped.is_some() {
            &after[2..]
        } else {
            after
        };
        bytes.push(escaped.unwrap_or(*byte));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The header of HTTP's basic authentication.
fn basic(credentials: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut header = "Basic ".to_owned();
    for chunk in credentials.as_bytes().chunks(3) {
        let bits = chunk
            .iter()
            .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = (bits >> (18 - 6 * place)) & 0x3f;
            header.push(if place <= chunk.len() {
                char::from(DIGITS[digit as usize])
            } else {
                '='
            });
        }
    }
    header
}

fn roots(path: &std::path::Path) -> Result<RootCerts, RegistryError> {
    let wrong = |reason: String| RegistryError::Certificates {
        path: path.display().to_string(),
        reason,
    };
    let pem = std::fs::read(path).map_err(|e| wrong(e.to_string()))?;
    let mut certificates: Vec<Certificate<'static>> = Vec::new();
    for item in parse_pem(&pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
            Ok(_) => {}
            Err(e) => return Err(wrong(e.to_string())),
        }
    }
    if certificates.is_empty() {
        return Err(wrong("it holds none".to_owned()));
    }
    Ok(RootCerts::new_with_certs(&certificates))
}
