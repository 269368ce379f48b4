//! Devices.

use std::sync::Arc;

use andon_schemas::advisory::{FirmwareVersion, KnownVulnerability};
use andon_schemas::identity::DeviceId;
use andon_schemas::order::OrderHistory;
use axum::extract::State;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Asked, Feed, InPath, answer, blocking, commands, limit, not_found, with_part};
use crate::board::signals::Signal;
use crate::board::wire::{DeviceRow, RiskPoint, VerdictRow};
use crate::board::{Lamp, Searched};
use crate::server::problem::Problem;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    segment: Option<String>,
    r#type: Option<String>,
    lamp: Option<Lamp>,
    q: Option<String>,
    after: Option<String>,
    limit: Option<usize>,
}

/// A page of devices.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DevicePage")]
pub(super) struct Page {
    devices: Vec<DeviceRow>,
    next: Option<DeviceId>,
}

/// A page of devices in order of id.
pub(super) async fn list(
    State(feed): State<Feed>,
    Asked(asked): Asked<Wanted>,
) -> Result<Response, Problem> {
    let wanted = Searched {
        segment: asked.segment,
        device_type: asked.r#type,
        lamp: asked.lamp,
        text: asked.q.map(|text| text.to_lowercase()),
        after: asked.after.map(|id| id.to_lowercase()),
        limit: limit(asked.limit)?,
    };
    let (devices, is_more) = feed.board.devices(&wanted, feed.is_silent());
    let last = devices.last().map(|device| device.device_id.clone());
    let next = last.filter(|_| is_more);
    Ok(answer(Page { devices, next }))
}

/// All about one device.
#[derive(Serialize, JsonSchema)]
pub(super) struct Device {
    #[serde(flatten)]
    row: DeviceRow,
    owner: Option<DeviceId>,
    risk_history: Vec<RiskPoint>,
    verdicts: Vec<Arc<VerdictRow>>,
    commands: Vec<OrderHistory>,
    /// Who makes it; null if the inventory does not say.
    vendor: Option<String>,
    /// Its model; null if the inventory does not say.
    model: Option<String>,
    /// The firmware it runs; null if nobody said.
    firmware: Option<FirmwareVersion>,
    /// Known vulnerabilities of that firmware, the worst first, at most 100. No verdict and no risk
    /// rests on them.
    advisories: Vec<KnownVulnerability>,
    /// How many there are; null if no advisories were given.
    advised: Option<Advised>,
}

/// How many vulnerabilities are known of a device.
#[derive(Serialize, JsonSchema)]
pub(super) struct Advised {
    /// Those that affect it.
    affected: u64,
    /// Those of which it cannot be told: the version or the product cannot be compared.
    cannot_tell: u64,
}

/// All about one device.
pub(super) async fn one(
    State(feed): State<Feed>,
    InPath(id): InPath<String>,
) -> Result<Response, Problem> {
    let id = id.to_lowercase();
    let board = &feed.board;
    let Some((row, owner)) = board.device(&id, feed.is_silent()) else {
        return Err(not_found("device", &id));
    };
    let commands = commands::of(&feed, &row.device_id);
    let open = row.verdict_id.as_ref();
    let open = open.and_then(|id| board.whole_verdict(id));
    // Whoever knows the advisories may have to go through many of them.
    let asked = (board.clone(), id.clone());
    let (known, is_asked) = blocking(move || asked.0.advisories_of(&asked.1)).await?;
    let device = Device {
        row,
        owner,
        risk_history: board.risk_history(&id),
        verdicts: board.verdicts_of(&id),
        commands,
        vendor: known.vendor,
        model: known.model,
        firmware: known.firmware,
        advisories: known.advisories,
        advised: is_asked.then_some(Advised {
            affected: known.affected,
            cannot_tell: known.cannot_tell,
        }),
    };
    with_part(&device, "open", open.as_deref())
}

/// What the open verdict of a device measured.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Signals")]
pub(super) struct Measured {
    device_id: DeviceId,
    /// The verdict; null if none is open.
    verdict_id: Option<Arc<str>>,
    signals: Vec<Signal>,
}

/// The windows behind what is open for a device, against what was expected.
pub(super) async fn signals(
    State(feed): State<Feed>,
    InPath(id): InPath<String>,
) -> Result<Response, Problem> {
    let id = id.to_lowercase();
    let Some((row, _)) = feed.board.device(&id, feed.is_silent()) else {
        return Err(not_found("device", &id));
    };
    let open = row.verdict_id.as_ref();
    let entry = open.and_then(|id| feed.board.verdict_of(id));
    Ok(answer(Measured {
        device_id: row.device_id,
        verdict_id: row.verdict_id,
        signals: entry.map(|entry| entry.signals).unwrap_or_default(),
    }))
}
