//! One stream: what its receiver wants, what it has acknowledged, and what it lacks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use andon_schemas::grade::Band;
use andon_schemas::identity::DeviceId;
use andon_schemas::time::EventTime;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Known;
use super::event::{Content, Kind, POLL, PUSH, SUPPORTED};

/// Verifications that may wait.
const VERIFICATIONS_MAX: usize = 8;
/// A receiver may ask for one this often.
pub(crate) const VERIFIED_EVERY: Duration = Duration::from_secs(5);

/// How tokens get to a receiver, as it says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Delivery {
    #[serde(default = "poll")]
    pub(crate) method: String,
    pub(crate) endpoint_url: Option<String>,
    pub(crate) authorization_header: Option<String>,
}

fn poll() -> String {
    POLL.to_owned()
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            method: poll(),
            endpoint_url: None,
            authorization_header: None,
        }
    }
}

/// What a receiver may say of its stream.
#[derive(Clone, Debug, Default, Deserialize, schemars::JsonSchema)]
pub(crate) struct Wanted {
    pub(crate) stream_id: Option<String>,
    #[schemars(with = "Option<serde_json::Map<String, Value>>")]
    pub(crate) delivery: Option<Delivery>,
    pub(crate) events_requested: Option<Vec<String>>,
    pub(crate) description: Option<String>,
}

/// Whether tokens go out.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// They do.
    #[default]
    Enabled,
    /// They wait.
    Paused,
    /// None is made.
    Disabled,
}

/// A stream.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Stream {
    /// Whose it is.
    pub(crate) owner: String,
    pub(crate) delivery: Delivery,
    pub(crate) events_requested: Option<Vec<String>>,
    pub(crate) description: Option<String>,
    pub(crate) status: Status,
    pub(crate) reason: Option<String>,
    /// Devices of which it wants to hear nothing.
    pub(crate) removed: BTreeSet<DeviceId>,
    /// The bands that it knows; of all others it knows none.
    told: BTreeMap<DeviceId, Band>,
    /// Devices whose firmware it knows to be wrong.
    told_wrong: BTreeSet<DeviceId>,
    /// Tokens that it refused for good.
    pub(crate) refused: u64,
    /// In the order in which they came to be.
    #[serde(skip)]
    pending: BTreeMap<u64, Pending>,
    #[serde(skip)]
    places: BTreeMap<(DeviceId, Kind), u64>,
    #[serde(skip)]
    next: u64,
    #[serde(skip)]
    verified: Option<Instant>,
}

/// An event that has not been acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(super) audience: String,
    pub(super) content: Content,
    /// Its name and its token, once it was handed out: it is the same each time.
    pub(super) token: Option<(String, String)>,
}

impl Stream {
    pub(crate) fn new(owner: &str, wanted: Wanted) -> Self {
        Self {
            owner: owner.to_owned(),
            delivery: wanted.delivery.unwrap_or_default(),
            events_requested: wanted.events_requested,
            description: wanted.description,
            status: Status::default(),
            reason: None,
            removed: BTreeSet::new(),
            told: BTreeMap::new(),
            told_wrong: BTreeSet::new(),
            refused: 0,
            pending: BTreeMap::new(),
            places: BTreeMap::new(),
            next: 0,
            verified: None,
        }
    }

    /// As its receiver is shown it; `poll_url` is where it may poll.
    pub(crate) fn view(&self, id: &str, issuer: &str, poll_url: &str) -> Value {
        let delivered: Vec<&str> = Kind::ALL
            .into_iter()
            .filter(|kind| self.wants(*kind))
            .map(Kind::uri)
            .collect();
        let url = self.delivery.endpoint_url.as_deref().unwrap_or(poll_url);
        let mut view = json!({
            "stream_id": id, "iss": issuer, "aud": self.owner,
            "events_supported": SUPPORTED, "events_delivered": delivered,
            "delivery": { "method": self.delivery.method, "endpoint_url": url },
            "min_verification_interval": VERIFIED_EVERY.as_secs(),
        });
        if let Some(requested) = &self.events_requested {
            view["events_requested"] = json!(requested);
        }
        if let Some(description) = &self.description {
            view["description"] = json!(description);
        }
        view
    }

    fn wants(&self, kind: Kind) -> bool {
        let requested = self.events_requested.as_ref();
        requested.is_none_or(|events| events.iter().any(|event| event == kind.uri()))
    }

    /// What is known of a device now; it waits, if that is news to the receiver.
    pub(super) fn update(&mut self, device: &DeviceId, known: &Known, at: EventTime) {
        if self.status == Status::Disabled || self.removed.contains(device) {
            return;
        }
        let before = self.told.get(device).copied();
        if let Some(band) = known.band.filter(|_| self.wants(Kind::Risk)) {
            let place = (device.clone(), Kind::Risk);
            // Low, of a device of which nothing was ever said, is no change of any level.
            let is_news = before != Some(band) && (before.is_some() || band != Band::Low);
            let content = (is_news || self.may_have_arrived(&place)).then(|| Content::Risk {
                device: device.clone(),
                before,
                known: known.clone(),
                at,
            });
            self.put(place, content);
        }
        if let Some(is_compliant) = known.is_compliant.filter(|_| self.wants(Kind::Compliance)) {
            let place = (device.clone(), Kind::Compliance);
            let is_news = self.told_wrong.contains(device) == is_compliant;
            let content = (is_news || self.may_have_arrived(&place)).then(|| Content::Compliance {
                device: device.clone(),
                is_compliant,
                known: known.clone(),
                at,
            });
            self.put(place, content);
        }
    }

    /// Whether what waits in this place was handed out: then the receiver may know it, whatever it
    /// has acknowledged.
    fn may_have_arrived(&self, place: &(DeviceId, Kind)) -> bool {
        let waiting = self.places.get(place).and_then(|at| self.pending.get(at));
        waiting.is_some_and(|waiting| waiting.token.is_some())
    }

    /// The newest takes the place of whatever waits; nothing, if there is no news any more.
    fn put(&mut self, place: (DeviceId, Kind), content: Option<Content>) {
        let waiting = self.places.get(&place);
        let waiting = waiting.and_then(|at| self.pending.get_mut(at));
        if let (Some(waiting), Some(content)) = (waiting, &content)
            && is_same(&waiting.content, content)
        {
            // It says the same, and may know better why.
            if waiting.token.is_none() {
                waiting.content = content.clone();
            }
            return;
        }
        if let Some(at) = self.places.remove(&place) {
            self.pending.remove(&at);
        }
        if let Some(content) = content {
            self.places.insert(place, self.next);
            self.push(content);
        }
    }

    fn push(&mut self, content: Content) {
        let pending = Pending {
            audience: self.owner.clone(),
            content,
            token: None,
        };
        self.pending.insert(self.next, pending);
        self.next += 1;
    }

    /// A receiver wants a sign of life; says no if it asks too often.
    pub(crate) fn verify(&mut self, state: Option<String>, now: Instant) -> bool {
        let is_early = |last: Instant| now.saturating_duration_since(last) < VERIFIED_EVERY;
        if self.verified.is_some_and(is_early) {
            return false;
        }
        self.verified = Some(now);
        let is_one = |pending: &&Pending| matches!(pending.content, Content::Verification(_));
        if self.pending.values().filter(is_one).count() < VERIFICATIONS_MAX {
            self.push(Content::Verification(state));
        }
        true
    }

    /// What waits, the oldest first; nothing while it is paused.
    pub(super) fn pending_mut(&mut self) -> impl Iterator<Item = &mut Pending> {
        let is_open = self.status == Status::Enabled;
        self.pending.values_mut().filter(move |_| is_open)
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.pending.len()
    }

    /// The receiver has it.
    pub(crate) fn acknowledge(&mut self, jti: &str) {
        let is_it = |pending: &Pending| pending.token.as_ref().is_some_and(|(name, _)| name == jti);
        let found = self.pending.iter().find(|(_, pending)| is_it(pending));
        let Some(at) = found.map(|(at, _)| *at) else {
            // It has acknowledged it before, or something newer took its place.
            return;
        };
        self.places.retain(|_, place| *place != at);
        match self.pending.remove(&at).map(|pending| pending.content) {
            Some(Content::Risk { device, known, .. }) => {
                if let Some(band) = known.band {
                    self.told.insert(device, band);
                }
            }
            Some(Content::Compliance {
                device,
                is_compliant,
                ..
            }) => {
                if is_compliant {
                    self.told_wrong.remove(&device);
                } else {
                    self.told_wrong.insert(device);
                }
            }
            Some(Content::Verification(_)) | None => {}
        }
    }

    /// What waits is not sent any more.
    pub(crate) fn drop_pending(&mut self) {
        self.pending.clear();
        self.places.clear();
    }

    /// Nothing is told of a device from now on.
    pub(crate) fn remove(&mut self, device: &DeviceId) {
        for kind in Kind::ALL {
            self.put((device.clone(), kind), None);
        }
        self.removed.insert(device.clone());
    }

    /// Where its tokens are pushed, if they are.
    pub(super) fn push_target(&self) -> Option<(String, Option<String>)> {
        if self.delivery.method != PUSH || self.status != Status::Enabled {
            return None;
        }
        let url = self.delivery.endpoint_url.clone()?;
        Some((url, self.delivery.authorization_header.clone()))
    }
}

/// Whether both say the same of a device.
fn is_same(waiting: &Content, other: &Content) -> bool {
    match (waiting, other) {
        (Content::Risk { known, .. }, Content::Risk { known: other, .. }) => {
            known.band == other.band
        }
        (
            Content::Compliance { is_compliant, .. },
            Content::Compliance {
                is_compliant: other,
                ..
            },
        ) => is_compliant == other,
        _ => false,
    }
}
