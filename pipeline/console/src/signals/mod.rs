//! A transmitter of shared signals: whoever asked for it is told, in signed security event tokens,
//! when the risk of a device moves to another level, and when its firmware is no longer, or is again,
//! what it should be. `OpenID` Shared Signals Framework 1.0 with the events of CAEP 1.0.
//!
//! What a receiver lacks is the difference between what it has acknowledged and what is known now, so
//! a stream holds one event of each kind for a device, the newest, however long its receiver is away.
//! What it has acknowledged is kept in the data folder: a restart loses nothing, and may say a thing
//! twice.

mod event;
mod key;
mod store;
mod stream;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use andon_schemas::grade::Band;
use andon_schemas::identity::DeviceId;
use andon_schemas::time::EventTime;
use serde_json::{Value, json};

pub use self::event::{POLL, PUSH};
pub use self::key::KeyError;
use self::key::SetKey;
pub(crate) use self::stream::{Status, Stream, VERIFIED_EVERY, Wanted};
use crate::board::{NotHere, RiskFeed};

/// Most streams: one for each receiver.
pub(crate) const STREAMS_MAX: usize = 32;
/// What tells that the firmware is not what it should be.
const COMPLIANCE: &str = "firmware_mismatch";

/// What a transmitter is told.
#[derive(Clone, Debug)]
pub struct SignalOptions {
    /// How it is reached from outside, `https://` and a host; also its name in every token.
    pub issuer: String,
    /// Folder of its key and of its streams.
    pub folder: PathBuf,
    /// What the addresses of receivers that are pushed to may begin with; without any, none is.
    pub push_to: Vec<String>,
}

/// What is known of a device, as receivers are told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Known {
    /// `None` if nothing can be said now: then what was said before stays.
    pub(crate) band: Option<Band>,
    pub(crate) score: Option<u8>,
    /// `None` if what is open about it is not at hand.
    pub(crate) is_compliant: Option<bool>,
    /// What is open about it.
    pub(crate) verdict_id: Option<String>,
    pub(crate) detectors: Vec<String>,
    pub(crate) sentence: String,
}

/// Tells receivers.
#[derive(Debug)]
pub struct Transmitter {
    pub(crate) options: SignalOptions,
    key: SetKey,
    feed: RiskFeed,
    site: String,
    streams: Mutex<BTreeMap<String, Stream>>,
    /// Something is to be kept that is not.
    dirty: AtomicBool,
    /// Names events.
    number: AtomicU64,
}

/// A token that is to be pushed.
#[derive(Clone, Debug)]
pub struct Due {
    /// Of this stream.
    pub stream: String,
    /// Where to.
    pub url: String,
    /// Goes into the header `Authorization` as it is.
    pub authorization: Option<String>,
    /// Names the token.
    pub jti: String,
    /// The token.
    pub token: String,
}

/// How a push ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It arrived.
    Arrived,
    /// The receiver refuses it for good.
    Refused,
}

/// Why something is not possible.
#[derive(Debug, thiserror::Error)]
pub enum SignalError {
    /// There is no key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The streams cannot be read or written.
    #[error("cannot use `{0}`: {1}")]
    Store(String, String),
}

impl Transmitter {
    /// Takes up its key and its streams; makes a key if there is none.
    ///
    /// # Errors
    /// If one of the two cannot be read, or the key cannot be written.
    pub fn open(options: SignalOptions, feed: RiskFeed) -> Result<Self, SignalError> {
        let key = SetKey::of(&options.folder)?;
        let streams = store::read(&options.folder)?;
        let site = feed.site();
        Ok(Self {
            number: AtomicU64::new(0),
            options,
            key,
            site,
            feed,
            streams: Mutex::new(streams),
            dirty: AtomicBool::new(false),
        })
    }

    /// Nothing that is done under the lock can leave it half done.
    pub(crate) fn streams(&self) -> MutexGuard<'_, BTreeMap<String, Stream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of a device is told to whom it is news.
    pub fn update(&self, device: &DeviceId, wall: EventTime) {
        let Some(known) = self.known(device) else {
            return;
        };
        for stream in self.streams().values_mut() {
            stream.update(device, &known, wall);
        }
    }

    /// The same of every device that is held here: for a stream that is new, or goes on.
    pub fn update_all(&self, wall: EventTime) {
        for device in self.feed.heard() {
            self.update(&device, wall);
        }
    }

    fn known(&self, device: &DeviceId) -> Option<Known> {
        // Of a device that another process holds, that one tells.
        let risk = self.feed.held(device.as_str())?;
        let open = self.feed.open_of(device.as_str());
        if matches!(open, Err(NotHere::Follows)) {
            // It is told together with why.
            return None;
        }
        let is_here = open.is_ok();
        let open = open.ok().flatten();
        let detectors = open.as_ref().map(|open| open.detectors.clone());
        let detectors = detectors.unwrap_or_default();
        let is_compliant = !detectors.iter().any(|detector| detector == COMPLIANCE);
        Some(Known {
            band: Some(risk.band).filter(|band| *band != Band::Unknown),
            score: risk.score,
            is_compliant: is_here.then_some(is_compliant),
            verdict_id: open.as_ref().map(|open| open.verdict_id.to_string()),
            sentence: open.map(|open| open.sentence.clone()).unwrap_or_default(),
            detectors,
        })
    }

    /// How many tokens wait, and how many were refused for good.
    pub fn counts(&self) -> (u64, u64) {
        let streams = self.streams();
        let waiting = streams.values().map(|stream| stream.waiting() as u64);
        let refused = streams.values().map(|stream| stream.refused);
        (waiting.sum(), refused.sum())
    }

    /// Keeps what is to be kept, if anything has changed.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&self) -> Result<(), SignalError> {
        if !self.dirty.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let text = store::text(&self.streams());
        let written = store::write(&self.options.folder, &text);
        if written.is_err() {
            self.dirty.store(true, Ordering::Release);
        }
        written
    }

    pub(crate) fn changed(&self) {
        self.dirty.store(true, Ordering::Release);
    }

    /// The next token of each stream that is pushed.
    pub fn due(&self, wall: EventTime) -> Vec<Due> {
        let mut due = Vec::new();
        for (id, stream) in self.streams().iter_mut() {
            let Some((url, authorization)) = stream.push_target() else {
                continue;
            };
            for (jti, token) in self.hand_out(id, stream, 1, wall) {
                due.push(Due {
                    stream: id.clone(),
                    url: url.clone(),
                    authorization: authorization.clone(),
                    jti,
                    token,
                });
            }
        }
        due
    }

    /// What became of one.
    pub fn pushed(&self, due: &Due, pushed: Pushed) {
        if let Some(stream) = self.streams().get_mut(&due.stream) {
            if pushed == Pushed::Refused {
                stream.refused += 1;
            }
            stream.acknowledge(&due.jti);
        }
        self.changed();
    }

    /// Tokens of a stream, signed once each, the oldest first.
    pub(crate) fn hand_out(
        &self,
        id: &str,
        stream: &mut Stream,
        most: usize,
        wall: EventTime,
    ) -> Vec<(String, String)> {
        let mut tokens = Vec::new();
        for pending in stream.pending_mut().take(most) {
            if pending.token.is_none() {
                let number = self.number.fetch_add(1, Ordering::Relaxed);
                let jti = format!("{}-{}-{number}", self.feed.boot(), wall.micros());
                let claims = event::claims(&event::Set {
                    issuer: &self.options.issuer,
                    site: &self.site,
                    stream: id,
                    audience: &pending.audience,
                    jti: &jti,
                    iat: wall,
                    content: &pending.content,
                });
                match self.key.sign(&claims) {
                    Ok(token) => pending.token = Some((jti, token)),
                    Err(_) => continue,
                }
            }
            tokens.extend(pending.token.clone());
        }
        tokens
    }

    /// What whoever wants to receive is told first.
    pub(crate) fn metadata(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.options.issuer);
        let mut methods = vec![POLL];
        if !self.options.push_to.is_empty() {
            methods.insert(0, PUSH);
        }
        json!({
            "spec_version": "1_0", "issuer": self.options.issuer, "jwks_uri": at("/ssf/jwks.json"),
            "delivery_methods_supported": methods,
            "configuration_endpoint": at("/ssf/streams"), "status_endpoint": at("/ssf/status"),
            "add_subject_endpoint": at("/ssf/subjects/add"),
            "remove_subject_endpoint": at("/ssf/subjects/remove"),
            "verification_endpoint": at("/ssf/verify"),
            "critical_subject_members": ["device"], "default_subjects": "ALL",
            "authorization_schemes": [{ "spec_urn": "urn:ietf:rfc:6750" }],
        })
    }

    pub(crate) fn keys(&self) -> Value {
        json!({ "keys": [self.key.public()] })
    }

    /// A name for a stream that no other one has.
    pub(crate) fn stream_id(&self) -> String {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        format!("{}-{number}", self.feed.boot())
    }

    /// Whether the inventory lists a device.
    pub(crate) fn lists(&self, device: &str) -> bool {
        self.feed.lists(device)
    }
}
