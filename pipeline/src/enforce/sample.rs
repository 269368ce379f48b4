//! A cell to enforce in, for tests: the one that real packets are sent through in
//! `tests/enforce.rs`.

use std::sync::Arc;

use andon_engine::Plant;
use andon_respond::key_of;
use andon_schemas::builtin;
use andon_schemas::command::{Action, DeviceCommand, FlowMatch, Mode};
use andon_schemas::identity::DeviceId;
use andon_schemas::inventory;
use andon_schemas::observation::Transport;
use andon_schemas::profile::{self, SourceFile};
use andon_schemas::time::{EventTime, Span};

use super::point::Post;
use super::shield::Shields;
use crate::setting::detector_names;

pub(super) const PLANT: &str = include_str!("../../tests/enforced/plant.yaml");
const PROFILES: [&str; 3] = [
    include_str!("../../tests/enforced/profiles/lamp.yaml"),
    include_str!("../../tests/enforced/profiles/press.yaml"),
    include_str!("../../tests/enforced/profiles/saw.yaml"),
];

/// The shields of a cell that is written like the sample.
pub(super) fn shields_of(inventory: &str) -> Shields {
    let files = PROFILES.map(|text| SourceFile {
        path: "profile.yaml",
        text,
    });
    let inventory = inventory::parse(SourceFile {
        path: "plant.yaml",
        text: inventory,
    });
    let profiles = profile::parse(&files, &detector_names()).unwrap();
    let plant = Plant::compile(inventory.unwrap(), &profiles, Mode::Enforce);
    Shields::of(Arc::new(plant))
}

pub(super) fn shields() -> Shields {
    shields_of(PLANT)
}

/// Those of the built-in plant.
pub(super) fn builtin_shields() -> Shields {
    let inventory = inventory::parse(builtin::INVENTORY).unwrap();
    let profiles = builtin::profiles(&detector_names()).unwrap();
    Shields::of(Arc::new(Plant::compile(
        inventory,
        &profiles,
        Mode::Enforce,
    )))
}

/// The enforcement point for machines and safety controllers.
pub(super) fn post() -> Post {
    Post {
        enforcer: "gate-1".to_owned(),
        segments: vec![0, 1],
    }
}

pub(super) fn id(name: &str) -> DeviceId {
    DeviceId::new(name).unwrap()
}

/// So many seconds into the test.
pub(super) fn at(seconds: i64) -> EventTime {
    EventTime::parse("2026-01-01T00:00:00Z").unwrap() + Span::from_secs(seconds)
}

pub(super) fn command(device: &str, action: Action, expiry: EventTime) -> DeviceCommand {
    DeviceCommand {
        key: key_of(&id(device), action),
        action,
        scope: Vec::new(),
        expiry,
    }
}

pub(super) fn restricting(device: &str, scope: &[FlowMatch], expiry: EventTime) -> DeviceCommand {
    DeviceCommand {
        scope: scope.to_vec(),
        ..command(device, Action::Restrict, expiry)
    }
}

pub(super) fn flow(peer: &str, transport: Option<Transport>, port: Option<u16>) -> FlowMatch {
    FlowMatch {
        peer: peer.to_owned(),
        transport,
        port,
    }
}
