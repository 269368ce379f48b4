//! What the engine's own tests share: the shipped plant and rows of one device.

use std::sync::{Arc, LazyLock};

use andon_detectors::catalog::CATALOG;
use andon_schemas::builtin;
use andon_schemas::bundle::BundleBuilder;
use andon_schemas::command::Mode;
use andon_schemas::identity::DeviceId;
use andon_schemas::indicator::{self, IndicatorSet};
use andon_schemas::observation::{
    Body, ByteKind, ConnState, Flow, Header, Observation, Reading, Role, Source, Transport,
};
use andon_schemas::profile::{self, ProfileSet, SourceFile};
use andon_schemas::time::{EventTime, Span};

use crate::engine::{Engine, Input};
use crate::output::{Item, Output};
use crate::plant::Plant;

/// The shipped profiles.
pub(crate) static PROFILES: LazyLock<ProfileSet> = LazyLock::new(|| {
    let names: Vec<_> = CATALOG.iter().map(|entry| entry.name).collect();
    builtin::profiles(&names).unwrap()
});

/// The shipped plant.
pub(crate) static PLANT: LazyLock<Arc<Plant>> = LazyLock::new(|| {
    Arc::new(Plant::compile(
        builtin::inventory().unwrap(),
        &PROFILES,
        Mode::Monitor,
    ))
});

/// The shipped plant, its profiles with some of their text replaced.
pub(crate) fn plant_with(replace: impl Fn(&SourceFile) -> String) -> Arc<Plant> {
    let texts: Vec<_> = builtin::PROFILES
        .iter()
        .map(|file| (file.path, replace(file)))
        .collect();
    let files: Vec<_> = texts
        .iter()
        .map(|(path, text)| SourceFile { path, text })
        .collect();
    let names: Vec<_> = CATALOG.iter().map(|entry| entry.name).collect();
    let profiles = profile::parse(&files, &names).unwrap();
    let inventory = builtin::inventory().unwrap();
    Arc::new(Plant::compile(inventory, &profiles, Mode::Monitor))
}

/// The first device of a type.
pub(crate) fn device(device_type: &str) -> DeviceId {
    let devices = &PLANT.inventory().devices;
    let found = devices.iter().find(|d| d.device_type == device_type);
    found.unwrap().id.clone()
}

/// So many minutes after midnight of a working day, UTC.
pub(crate) fn minute(minutes: i64) -> EventTime {
    EventTime::parse("2025-12-10T00:00:00Z").unwrap() + Span::MINUTE.times(minutes)
}

/// A row received when it happened.
pub(crate) fn row(device: &DeviceId, at: EventTime, body: Body) -> Observation {
    Observation {
        header: Header {
            device: device.clone(),
            event_time: at,
            received_at: at,
            sender: None,
            seq: None,
            source: Source {
                topic: "rows".into(),
                partition: 0,
                offset: 1,
            },
        },
        body,
    }
}

/// A short flow to an address nobody knows.
pub(crate) fn stray_flow(device: &DeviceId, at: EventTime) -> Observation {
    let flow = Flow {
        start: at - Span::SECOND,
        role: Role::Originator,
        peer: [203, 0, 113, 9].into(),
        peer_name: None,
        port: 443,
        transport: Transport::Tcp,
        service: None,
        up: Some(100),
        down: Some(50),
        bytes: ByteKind::Payload,
        state: ConnState::Answered,
        interim: false,
        uid: None,
        commands: None,
    };
    row(device, at, Body::Flow(flow))
}

/// A reading of a machine at rest.
pub(crate) fn reading(device: &DeviceId, at: EventTime) -> Observation {
    let reading = Reading {
        current_a: Some(0.5),
        spindle_rpm: None,
    };
    row(device, at, Body::Reading(reading))
}

/// A list of hostile destinations.
pub(crate) fn listed(text: &str) -> Arc<IndicatorSet> {
    let file = SourceFile {
        path: "hostile.txt",
        text,
    };
    Arc::new(indicator::parse(&[file]).unwrap())
}

/// An engine and the number of its next input.
pub(crate) struct Bench {
    pub(crate) engine: Engine,
    ordinal: u64,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::of(PLANT.clone())
    }

    pub(crate) fn of(plant: Arc<Plant>) -> Self {
        Self {
            engine: Engine::new(plant),
            ordinal: 0,
        }
    }

    pub(crate) fn rows(&mut self, rows: &[Observation]) -> Output {
        let mut builder = BundleBuilder::starting_at(self.ordinal);
        for row in rows {
            builder.push(row);
        }
        self.ordinal = builder.next_ordinal();
        let bundle = builder.finish().unwrap();
        self.engine.step(&Input::Bundle(Box::new(bundle)))
    }

    pub(crate) fn tick(&mut self, at: EventTime) -> Output {
        self.ordinal += 1;
        let ordinal = self.ordinal - 1;
        self.engine.step(&Input::Tick { ordinal, at })
    }

    pub(crate) fn end(&mut self, at: EventTime) -> Output {
        self.ordinal += 1;
        let ordinal = self.ordinal - 1;
        self.engine.step(&Input::EndOfInput { ordinal, at })
    }
}

/// The deadlines of the verdicts in an output, with their state and the detectors that stand.
pub(crate) fn verdicts(output: &Output) -> Vec<(EventTime, String, Vec<String>)> {
    let told = |item: &Item| match item {
        Item::Verdict(verdict) => {
            let standing = verdict.findings.iter().filter(|f| f.active);
            Some((
                verdict.state.to_string(),
                standing.map(|f| f.detector.clone()).collect(),
            ))
        }
        Item::Risk(_)
        | Item::Heartbeat(_)
        | Item::Refusal(_)
        | Item::Late(_)
        | Item::Duplicate(_)
        | Item::Window(_) => None,
    };
    output
        .items
        .iter()
        .filter_map(|(cause, item)| {
            told(item).map(|(state, standing)| (cause.deadline, state, standing))
        })
        .collect()
}
