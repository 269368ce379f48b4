//! Bundles for policy engines that fetch what they decide by: the plant, the risk of every device,
//! and policies if wanted, in one signed archive as Open Policy Agent reads it. A bundle is whole: it
//! takes the place of the one before.
//!
//! However many fetch, one is built at most once a second, and only if something has changed or the
//! risks in the last one have lived for a third of their time.

mod canonical;
mod sign;
mod tar;

use std::fmt::Write as _;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use andon_schemas::hex;
use andon_schemas::time::{EventTime, Span};
use bytes::Bytes;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use self::tar::{File, part};
use crate::board::{Board, Document};
use crate::metrics::DecisionMetrics;

pub use self::sign::{Signer, SignerError};

/// One is not built more often.
const BUILT_EVERY: Duration = Duration::from_secs(1);
const PLANT: &str = "andon/plant/data.json";
const RISK: &str = "andon/risk/data.json";
const MANIFEST: &str = ".manifest";
const SIGNATURES: &str = ".signatures.json";

/// What bundles hold.
#[derive(Clone, Debug)]
pub struct BundleOptions {
    /// How long the risks in one count.
    pub expires: Duration,
    /// Name and text of policies, and of data beside them.
    pub policy: Vec<(String, String)>,
    /// What they are signed with.
    pub signer: Option<Signer>,
}

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BundleError {
    #[error("the plant is not known yet")]
    NoPlant,
    #[error("the bundle cannot be built: {0}")]
    Broken(String),
}

/// Bundles of a board.
#[derive(Debug)]
pub(crate) struct Bundles {
    options: BundleOptions,
    metrics: DecisionMetrics,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    policy: Option<Arc<Piece>>,
    /// The plant, and its version.
    plant: Option<(u64, Arc<Piece>)>,
    newest: Option<Built>,
    number: u64,
}

/// Files that do not change from one bundle to the next.
#[derive(Debug)]
struct Piece {
    compressed: Vec<u8>,
    /// Name and digest.
    files: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
struct Built {
    at: Instant,
    /// What it was built from.
    of: Mark,
    bundle: Bundle,
}

/// What a bundle is built from; the same mark, the same risks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    faces: u64,
    plant: u64,
    silent: bool,
}

/// A bundle as it is fetched.
#[derive(Clone, Debug)]
pub(crate) struct Bundle {
    pub(crate) tag: String,
    pub(crate) bytes: Bytes,
}

/// The moment at which a bundle is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) now: Instant,
    pub(crate) wall: EventTime,
    /// Nothing is health.
    pub(crate) silent: bool,
    /// The pipeline goes on: what it said is still known.
    pub(crate) live: bool,
}

impl Bundles {
    pub(crate) fn new(options: BundleOptions, metrics: DecisionMetrics) -> Self {
        Self {
            options,
            metrics,
            state: Mutex::default(),
        }
    }

    /// The bundle of this moment. It takes a while in a large plant.
    pub(crate) fn current(&self, board: &Board, moment: Moment) -> Result<Bundle, BundleError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let document = board.document().ok_or(BundleError::NoPlant)?;
        // Read before what it numbers: a change meanwhile is found the next time.
        let of = Mark {
            faces: board.faces(),
            plant: document.version,
            silent: moment.silent,
        };
        if let Some(built) = &state.newest {
            let age = moment.now.saturating_duration_since(built.at);
            let is_old = moment.live && age >= self.options.expires / 3;
            if age < BUILT_EVERY || (built.of == of && !is_old) {
                return Ok(built.bundle.clone());
            }
        }
        let revision = format!("{}-{}", board.ring().boot(), state.number + 1);
        let bytes = self.build(&mut state, board, &document, moment, &revision)?;
        state.number += 1;
        self.metrics.bundle_built();
        let bundle = Bundle {
            tag: format!("\"{revision}\""),
            bytes: bytes.into(),
        };
        state.newest = Some(Built {
            at: moment.now,
            of,
            bundle: bundle.clone(),
        });
        Ok(bundle)
    }

    fn build(
        &self,
        state: &mut State,
        board: &Board,
        document: &Document,
        moment: Moment,
        revision: &str,
    ) -> Result<Vec<u8>, BundleError> {
        let policy = match &state.policy {
            Some(policy) => Arc::clone(policy),
            None => Arc::new(self.policy()?),
        };
        let plant = match &state.plant {
            Some((version, plant)) if *version == document.version => Arc::clone(plant),
            _ => Arc::new(plant(document)?),
        };
        let micros = i64::try_from(self.options.expires.as_micros()).unwrap_or(i64::MAX);
        let expires = moment.wall + Span::from_micros(micros);
        let risks = risks(board, moment.silent, expires);
        let manifest = self.manifest(revision);
        let mut signed = policy.files.clone();
        signed.extend_from_slice(&plant.files);
        signed.push((RISK.to_owned(), digest(risks.as_bytes())));
        signed.push((MANIFEST.to_owned(), digest(manifest.as_bytes())));
        let signatures = self.signatures(&signed)?;
        let mut files = vec![
            File {
                name: RISK,
                bytes: risks.as_bytes(),
            },
            File {
                name: MANIFEST,
                bytes: manifest.as_bytes(),
            },
        ];
        files.extend(signatures.as_ref().map(|signatures| File {
            name: SIGNATURES,
            bytes: signatures.as_bytes(),
        }));
        let mut bytes = policy.compressed.clone();
        bytes.extend_from_slice(&plant.compressed);
        bytes.extend(part(&files).map_err(broken)?);
        bytes.extend(tar::end().map_err(broken)?);
        state.policy = Some(policy);
        state.plant = Some((document.version, plant));
        Ok(bytes)
    }

    fn policy(&self) -> Result<Piece, BundleError> {
        let mut files = Vec::new();
        for (name, text) in &self.options.policy {
            let text = if is_data(name) {
                let value: Value = serde_json::from_str(text).map_err(broken)?;
                canonical(&value)
            } else {
                text.clone()
            };
            files.push((name.as_str(), text));
        }
        Piece::of(&files)
    }

    fn manifest(&self, revision: &str) -> String {
        let mut roots = vec!["andon/plant".to_owned(), "andon/risk".to_owned()];
        for (name, text) in &self.options.policy {
            roots.extend(root_of(name, text));
        }
        canonical(&json!({
            "revision": revision, "roots": apart(roots), "rego_version": 1,
        }))
    }

    fn signatures(&self, files: &[(String, String)]) -> Result<Option<String>, BundleError> {
        let Some(signer) = &self.options.signer else {
            return Ok(None);
        };
        let files: Vec<Value> = files
            .iter()
            .map(|(name, hash)| json!({ "name": name, "hash": hash, "algorithm": "SHA-256" }))
            .collect();
        let token = signer
            .token(&json!({ "files": files }))
            .map_err(|_| BundleError::Broken("it cannot be signed".to_owned()))?;
        Ok(Some(json!({ "signatures": [token] }).to_string()))
    }
}

impl Piece {
    fn of(files: &[(&str, String)]) -> Result<Self, BundleError> {
        let named = |(name, text): &(&str, String)| (name.to_string(), digest(text.as_bytes()));
        let archived: Vec<File<'_>> = files
            .iter()
            .map(|(name, text)| File {
                name,
                bytes: text.as_bytes(),
            })
            .collect();
        Ok(Self {
            compressed: part(&archived).map_err(broken)?,
            files: files.iter().map(named).collect(),
        })
    }
}

fn plant(document: &Document) -> Result<Piece, BundleError> {
    let value: Value = serde_json::from_slice(&document.json).map_err(broken)?;
    Piece::of(&[(PLANT, canonical(&value))])
}

/// The risk of every device of which anything is known, in the form that signatures want.
fn risks(board: &Board, silent: bool, expires: EventTime) -> String {
    let floor = board.floor();
    let mut text = String::from("{\"devices\":{");
    let mut is_first = true;
    // They are in the order of their ids.
    for station in floor.watched() {
        let Some(risk) = Board::known_of(station, silent) else {
            continue;
        };
        if !std::mem::replace(&mut is_first, false) {
            text.push(',');
        }
        canonical::text(station.id.as_str(), &mut text);
        let number = |number: Option<u8>| number.map_or("null".to_owned(), |n| n.to_string());
        // Writing to a text cannot fail.
        let _written = write!(
            text,
            ":{{\"band\":{},\"expires\":\"{expires}\",\"score\":{},\"trust\":{}}}",
            json!(risk.band),
            number(risk.score),
            number(risk.trust)
        );
    }
    text.push_str("}}");
    text
}

fn is_data(name: &str) -> bool {
    name == "data.json" || name.ends_with("/data.json")
}

/// What of the data and the rules a file owns.
fn root_of(name: &str, text: &str) -> Vec<String> {
    if !is_data(name) {
        let package = text.lines().find_map(|line| line.strip_prefix("package "));
        let package = package.map(|name| name.split('#').next().unwrap_or_default().trim());
        return package
            .map(|name| name.replace('.', "/"))
            .into_iter()
            .collect();
    }
    match name
        .strip_suffix("data.json")
        .map(|folder| folder.trim_end_matches('/'))
    {
        Some("") | None => {
            let value: Value = serde_json::from_str(text).unwrap_or_default();
            let members = value.as_object().into_iter().flatten();
            members.map(|(name, _)| name.clone()).collect()
        }
        Some(folder) => vec![folder.to_owned()],
    }
}

/// Roots without those that lie below others.
fn apart(mut roots: Vec<String>) -> Vec<String> {
    roots.sort();
    let mut apart: Vec<String> = Vec::new();
    for root in roots {
        let is_below = |above: &String| root == *above || root.starts_with(&format!("{above}/"));
        if !apart.iter().any(is_below) {
            apart.push(root);
        }
    }
    apart
}

fn canonical(value: &Value) -> String {
    let mut text = String::new();
    canonical::write(value, &mut text);
    text
}

fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

#[expect(clippy::needless_pass_by_value, reason = "it maps errors")]
fn broken(cause: impl ToString) -> BundleError {
    BundleError::Broken(cause.to_string())
}

impl Board {
    /// Counts what was shown of all devices.
    fn faces(&self) -> u64 {
        self.counted().load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests;
