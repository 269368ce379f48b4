//! A webhook: one POST per event, signed as Standard Webhooks 1.0 says, so that receivers check it
//! with a library of their own: HMAC-SHA256 over id, time and body.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use ureq::Agent;
use ureq::http::{HeaderMap, Uri};

use crate::blank::blanked;
use crate::http::{self, HttpError};
use crate::outlet::Trouble;
use crate::terminal::printable;

/// How long a receiver may take for its answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// Most bytes of an answer that are read; a good one says nothing.
const ANSWER_BYTES_MAX: u64 = 64 * 1_024;
/// Most characters of an answer that are told.
const TOLD_MAX: usize = 200;
/// The least that a secret may hold.
const SECRET_BYTES_MIN: usize = 16;
/// Longest that a receiver may ask us to wait.
const WAIT_MAX: Duration = Duration::from_secs(900);

/// How to reach a receiver over HTTP.
#[derive(Clone)]
pub struct HookOptions {
    /// `http://` or `https://`.
    pub url: String,
    /// What bodies are signed with: the bytes, or `whsec_` and the bytes in base64.
    pub secret: Option<String>,
    /// Goes into the header `Authorization` as it is.
    pub authorization: Option<String>,
    /// Certificates, PEM, that the receiver's must be signed by; without them, those that browsers
    /// trust.
    pub ca: Option<PathBuf>,
}

impl std::fmt::Debug for HookOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Neither what it is signed with nor what stands before the `@` of an address.
        f.debug_struct("HookOptions")
            .field("ca", &self.ca)
            .finish_non_exhaustive()
    }
}

/// Why a webhook cannot be.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// There is no way to its address.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// Its secret is none.
    #[error("its secret {0}")]
    Secret(&'static str),
}

/// Posts bodies.
pub struct Hook {
    agent: Agent,
    /// Whom it is posted to, as it is told: an address may hold a secret in its path.
    receiver: String,
    options: HookOptions,
    key: Option<hmac::Key>,
}

impl std::fmt::Debug for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hook")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Hook {
    /// Nothing is opened before something is posted. `version` is of whoever posts.
    ///
    /// # Errors
    /// If an option cannot be used.
    pub fn new(options: HookOptions, version: &str) -> Result<Self, HookError> {
        http::check(&options.url)?;
        let address = options.url.parse::<Uri>().ok();
        let host = address.as_ref().and_then(Uri::authority);
        let host = host.map_or("?", |host| host.as_str());
        let receiver = format!("the webhook of `{}`", printable(host));
        let name = format!("andon/{version}");
        let agent = http::agent(options.ca.as_ref(), &name, PATIENCE)?;
        Ok(Self {
            agent,
            receiver,
            key: options.secret.as_deref().map(key).transpose()?,
            options,
        })
    }

    fn answer(&self, id: &str, body: &str) -> Result<(u16, HeaderMap, String), ureq::Error> {
        let seconds = since_1970().as_secs().to_string();
        let mut request = self
            .agent
            .post(&self.options.url)
            .header("Content-Type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", &seconds);
        if let Some(key) = &self.key {
            request = request.header("webhook-signature", sign(key, id, &seconds, body));
        }
        if let Some(authorization) = &self.options.authorization {
            request = request.header("Authorization", authorization);
        }
        let mut response = request.send(body)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let answer = response.body_mut().with_config().limit(ANSWER_BYTES_MAX);
        // The status says whether it has arrived, whatever follows it.
        let answer = answer.read_to_vec().unwrap_or_default();
        Ok((
            status,
            headers,
            String::from_utf8_lossy(&answer).into_owned(),
        ))
    }

    /// Posts a body of JSON, by an id that is the same each time.
    ///
    /// # Errors
    /// If the receiver does not say that it has it.
    pub fn post(&self, id: &str, body: &str) -> Result<(), Trouble> {
        let receiver = &self.receiver;
        let answered = self.answer(id, body);
        let (status, headers, answer) =
            answered.map_err(|error| Trouble::later(format!("{receiver}: {error}")))?;
        let own = self.options.authorization.iter();
        let own = own.filter_map(|text| text.split_whitespace().next_back());
        let answer = blanked(&answer, own.chain(self.options.secret.as_deref()));
        let told: String = answer.trim().chars().take(TOLD_MAX).collect();
        let why = match printable(&told) {
            told if told.is_empty() => format!("{receiver} answers {status}"),
            told => format!("{receiver} answers {status}: {told}"),
        };
        match status {
            200..300 => Ok(()),
            // It cannot use this event, whoever sends it, and however often.
            400 | 413 | 415 | 422 => Err(Trouble::Never(why)),
            300..400 => Err(Trouble::later(format!(
                "{why}; write down the address it redirects to"
            ))),
            401 | 403 | 407 => Err(Trouble::later(format!(
                "{why}; is the authorization right, and still good?"
            ))),
            _ => Err(Trouble::Later {
                why,
                after: retry_after(&headers),
            }),
        }
    }
}

fn since_1970() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

fn key(secret: &str) -> Result<hmac::Key, HookError> {
    let bytes = match secret.strip_prefix("whsec_") {
        None => secret.as_bytes().to_vec(),
        Some(encoded) => STANDARD.decode(encoded).map_err(|_| {
            HookError::Secret("begins with `whsec_`, and what follows is not base64")
        })?,
    };
    if bytes.len() < SECRET_BYTES_MIN {
        return Err(HookError::Secret(
            "is shorter than 16 bytes: anybody could guess it",
        ));
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

fn sign(key: &hmac::Key, id: &str, seconds: &str, body: &str) -> String {
    let tag = hmac::sign(key, format!("{id}.{seconds}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(tag))
}

/// How long the receiver wants to be left alone: seconds, or a moment by its own clock.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let after = text("retry-after")?;
    if let Ok(seconds) = after.trim().parse::<u64>() {
        return Some(Duration::from_secs(seconds).min(WAIT_MAX));
    }
    let seconds = |text: &str| {
        let moment = jiff::fmt::rfc2822::parse(&text.trim().replace("GMT", "+0000")).ok()?;
        Some(moment.timestamp().as_second())
    };
    let now = text("date").and_then(seconds);
    let now = now.or_else(|| i64::try_from(since_1970().as_secs()).ok())?;
    let wait = u64::try_from(seconds(after)? - now).unwrap_or(0);
    Some(Duration::from_secs(wait).min(WAIT_MAX))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    #[test]
    fn a_signature_is_the_one_of_the_specification() {
        // The example of its own reference implementations.
        let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = sign(
            &key,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "1614265330",
            "{\"test\": 2432232314}",
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_receiver_is_named_and_what_its_path_holds_is_not() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let options = HookOptions {
            url: format!("http://{address}/hooks/whisper"),
            secret: None,
            authorization: None,
            ca: None,
        };
        let hook = Hook::new(options, "1").unwrap();
        let server = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            let mut byte = [0];
            while !asked.ends_with(b"{}") && socket.read(&mut byte).unwrap() == 1 {
                asked.push(byte[0]);
            }
            let answer = "HTTP/1.1 500 Oh\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
            socket.write_all(answer.as_bytes()).unwrap();
        });
        let answered = format!("{:?}", hook.post("1", "{}").unwrap_err());
        server.join().unwrap();
        // Nobody listens there any more.
        let alone = format!("{:?}", hook.post("1", "{}").unwrap_err());
        let receiver = format!("the webhook of `{address}`");
        assert!(
            answered.contains(&format!("{receiver} answers 500")),
            "{answered}"
        );
        assert!(alone.contains(&format!("{receiver}: ")), "{alone}");
        assert!(!(answered + &alone).contains("whisper"));
    }

    #[test]
    fn a_receiver_says_when_it_wants_to_be_asked_again() {
        let of = |after: &str, date: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert("retry-after", after.parse().unwrap());
            if let Some(date) = date {
                headers.insert("date", date.parse().unwrap());
            }
            retry_after(&headers).map(|wait| wait.as_secs())
        };
        assert_eq!(of("7", None), Some(7));
        assert_eq!(of("99999999", None), Some(900));
        let date = Some("Sun, 22 Nov 2026 10:00:00 GMT");
        assert_eq!(of("Sun, 22 Nov 2026 10:00:05 GMT", date), Some(5));
        assert_eq!(of("Sun, 22 Nov 2026 09:00:00 GMT", date), Some(0));
        assert_eq!(of("soon", date), None);
    }

    #[test]
    fn what_cannot_be_a_webhook_is_refused_and_no_secret_is_told() {
        let made = |url: &str, secret: &str| {
            let options = HookOptions {
                url: url.to_owned(),
                secret: Some(secret.to_owned()),
                authorization: None,
                ca: None,
            };
            Hook::new(options, "1")
        };
        let secret = "0123456789abcdef-whisper";
        let good = made("https://siem.example/in", secret).unwrap();
        assert!(!format!("{good:?}").contains("whisper"));
        for (url, secret, words) in [
            ("ftp://x/", secret, "neither"),
            ("https://me:it@x/", secret, "password"),
            ("https://x/", "short", "16 bytes"),
            ("https://x/", "whsec_!", "base64"),
        ] {
            let error = made(url, secret).unwrap_err().to_string();
            assert!(
                error.contains(words) && !error.contains("whisper"),
                "{error}"
            );
        }
    }
}
