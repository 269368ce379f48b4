//! The data API of Open Policy Agent: documents that are put, and changed in place.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use ureq::Agent;

use crate::http::{self, HttpError};
use crate::terminal::printable;

/// How long an answer may take; a plant of 50,000 devices is some megabytes.
const PATIENCE: Duration = Duration::from_secs(20);
/// Most bytes of an answer that are read.
const ANSWER_BYTES_MAX: u64 = 64 << 10;
/// Most characters of an answer that are told.
const TOLD_MAX: usize = 200;

/// How to reach an Open Policy Agent.
#[derive(Clone)]
pub struct DataApiOptions {
    /// `http://` or `https://`, up to where `/v1/data` begins.
    pub url: String,
    /// Shown as a bearer token.
    pub token: Option<String>,
    /// Certificates, PEM, that its own must be signed by; without them, those that browsers trust.
    pub ca: Option<PathBuf>,
}

impl std::fmt::Debug for DataApiOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DataApiOptions")
            .field("url", &self.url)
            .field("ca", &self.ca)
            .finish_non_exhaustive()
    }
}

/// Why a document is not as it should be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DataApiError {
    /// It cannot be reached, or it cannot now.
    #[error("{0}")]
    Later(String),
    /// What was to be changed is not there.
    #[error("{0}")]
    Missing(String),
    /// It refuses this, whenever it is asked.
    #[error("{0}")]
    Refused(String),
}

/// Speaks with one Open Policy Agent.
#[derive(Debug)]
pub struct DataApi {
    agent: Agent,
    options: DataApiOptions,
}

impl DataApi {
    /// Nothing is opened before something is sent. `name` is ours.
    ///
    /// # Errors
    /// If an option cannot be used.
    pub fn new(mut options: DataApiOptions, name: &str) -> Result<Self, HttpError> {
        http::check(&options.url)?;
        let bare = options.url.trim_end_matches('/').len();
        options.url.truncate(bare);
        Ok(Self {
            agent: http::agent(options.ca.as_ref(), name, PATIENCE)?,
            options,
        })
    }

    /// Puts a document in the place of whatever is at this path.
    ///
    /// # Errors
    /// If it is not there for certain.
    pub fn put(&self, path: &[&str], document: &str) -> Result<(), DataApiError> {
        let request = self.agent.put(self.address(path));
        self.send(request, "application/json", document)
    }

    /// Puts a document where there is none yet.
    ///
    /// # Errors
    /// If there is none for certain.
    pub fn put_if_missing(&self, path: &[&str], document: &str) -> Result<(), DataApiError> {
        let request = self.agent.put(self.address(path));
        let request = request.header("If-None-Match", "*");
        self.send(request, "application/json", document)
    }

    /// Changes parts of the document at this path, all of them or none.
    ///
    /// # Errors
    /// If they are not changed for certain; [`DataApiError::Missing`] if the document, or a part
    /// that is to go, is not there.
    pub fn patch(&self, path: &[&str], changes: &Patch) -> Result<(), DataApiError> {
        let request = self.agent.patch(self.address(path));
        self.send(request, "application/json-patch+json", &changes.json())
    }

    /// What is at this path; `None` if nothing is.
    ///
    /// # Errors
    /// If it does not say.
    pub fn get(&self, path: &[&str]) -> Result<Option<Value>, DataApiError> {
        let request = self.authorized(self.agent.get(self.address(path)));
        let mut response = request.call().map_err(later)?;
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX);
        let text = body.read_to_string().map_err(later)?;
        judge(status, &text)?;
        let mut answer: Value = serde_json::from_str(&text)
            .map_err(|error| DataApiError::Later(format!("its answer is no JSON: {error}")))?;
        Ok(answer.get_mut("result").map(Value::take))
    }

    fn send(
        &self,
        request: ureq::RequestBuilder<ureq::typestate::WithBody>,
        kind: &str,
        body: &str,
    ) -> Result<(), DataApiError> {
        let request = self.authorized(request.header("Content-Type", kind));
        let mut response = request.send(body).map_err(later)?;
        let status = response.status().as_u16();
        let answer = response.body_mut().with_config().limit(ANSWER_BYTES_MAX);
        // The status says whether it is done, whatever follows it.
        let answer = answer.read_to_vec().unwrap_or_default();
        judge(status, &String::from_utf8_lossy(&answer))
    }

    fn authorized<B>(&self, request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        match &self.options.token {
            Some(token) => request.header("Authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    fn address(&self, path: &[&str]) -> String {
        let mut address = format!("{}/v1/data", self.options.url);
        for part in path {
            address.push('/');
            escape(part, &mut address);
        }
        address
    }
}

/// Changes to the members of a document.
#[derive(Clone, Debug, Default)]
pub struct Patch {
    operations: String,
}

impl Patch {
    /// The whole of it, as it is sent.
    pub fn json(&self) -> String {
        format!("[{}]", self.operations)
    }

    /// A member is this from now on; `value` is JSON.
    pub fn set(&mut self, member: &str, value: &str) {
        self.begin("add", member);
        self.operations.push_str(",\"value\":");
        self.operations.push_str(value);
        self.operations.push('}');
    }

    /// A member is gone from now on.
    pub fn remove(&mut self, member: &str) {
        self.begin("remove", member);
        self.operations.push('}');
    }

    fn begin(&mut self, operation: &str, member: &str) {
        if !self.operations.is_empty() {
            self.operations.push(',');
        }
        // A pointer as such knows only `~`; this one is unescaped as an address is, too.
        let pointer = member.replace('~', "~0").replace('/', "~1");
        self.operations.push_str("{\"op\":\"");
        self.operations.push_str(operation);
        self.operations.push_str("\",\"path\":\"/");
        escape(&pointer, &mut self.operations);
        self.operations.push('"');
    }
}

/// A part of a path, with nothing in it that means something in an address.
fn escape(part: &str, into: &mut String) {
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            into.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            let _written = write!(into, "%{byte:02X}");
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it maps errors")]
fn later(error: ureq::Error) -> DataApiError {
    DataApiError::Later(error.to_string())
}

fn judge(status: u16, answer: &str) -> Result<(), DataApiError> {
    let why = || {
        let told: String = answer.split_whitespace().collect::<Vec<_>>().join(" ");
        let told: String = told.chars().take(TOLD_MAX).collect();
        match printable(&told) {
            told if told.is_empty() => format!("it answers {status}"),
            told => format!("it answers {status}: {told}"),
        }
    };
    match status {
        // Of what should be put where nothing was: something is there.
        200..300 | 304 => Ok(()),
        404 => Err(DataApiError::Missing(why())),
        401 | 403 => Err(DataApiError::Later(format!(
            "{}; is the token right, and may it write?",
            why()
        ))),
        400..=428 | 430..500 => Err(DataApiError::Refused(why())),
        _ => Err(DataApiError::Later(why())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(url: &str) -> DataApiOptions {
        DataApiOptions {
            url: url.to_owned(),
            token: Some("whisper".to_owned()),
            ca: None,
        }
    }

    #[test]
    fn every_id_is_one_part_of_a_path() {
        let api = DataApi::new(options("http://127.0.0.1:8181/opa/"), "andon/1").unwrap();
        assert_eq!(
            api.address(&["andon", "risk", "ip:10.1.2.3"]),
            "http://127.0.0.1:8181/opa/v1/data/andon/risk/ip%3A10.1.2.3"
        );
        let mut patch = Patch::default();
        patch.set("a%2f~b", "{\"score\":1}");
        patch.remove("é\"");
        let read: Value = serde_json::from_str(&patch.json()).unwrap();
        assert_eq!(read[0]["path"], "/a%252f~0b");
        assert_eq!(read[0]["value"]["score"], 1);
        assert_eq!(read[1]["path"], "/%C3%A9%22");
        assert_eq!(read[1]["op"], "remove");
    }

    #[test]
    fn what_is_no_address_is_refused_and_no_token_is_told() {
        for url in ["", "opa:8181", "ftp://opa/", "http://me:it@opa/"] {
            assert!(DataApi::new(options(url), "a").is_err(), "{url}");
        }
        let api = DataApi::new(options("http://opa"), "a").unwrap();
        assert!(!format!("{api:?}").contains("whisper"));
    }

    #[test]
    fn what_may_be_tried_again_is_told_from_what_may_not() {
        assert_eq!(judge(204, ""), Ok(()));
        assert_eq!(judge(304, ""), Ok(()));
        assert!(matches!(judge(404, "{}"), Err(DataApiError::Missing(_))));
        assert!(matches!(judge(401, ""), Err(DataApiError::Later(_))));
        assert!(matches!(judge(429, ""), Err(DataApiError::Later(_))));
        assert!(matches!(judge(503, ""), Err(DataApiError::Later(_))));
        assert!(matches!(
            judge(400, "path\n  owned"),
            Err(DataApiError::Refused(why)) if why == "it answers 400: path owned"
        ));
    }
}
