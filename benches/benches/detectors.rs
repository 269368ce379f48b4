//! What each detector of the catalogue costs on honest rows, alone: all others are switched off by
//! the profiles, and what asking nobody costs is taken off. Nanoseconds per row of any kind, flow,
//! reading and closed hour.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Instant;

use andon_benches::{Runs, Sheet, Stage};
use andon_detectors::baseline::Baseline;
use andon_detectors::catalog::{Brief, CATALOG, Plans, Sink, States};
use andon_detectors::facts::{
    CELLS, CloseFacts, DeviceFacts, FlowFacts, Pane, ReadingFacts, RowFacts,
};
use andon_engine::Input;
use andon_schemas::bundle::{Bundle, RowRef};
use andon_schemas::columns::{FlowRow, HeaderRow};
use andon_schemas::finding::Evidence;
use andon_schemas::indicator::{self, IndicatorSet};
use andon_schemas::inventory::Inventory;
use andon_schemas::observation::{Kind, Role};
use andon_schemas::profile::{DetectorSetting, Profile, ProfileSet, SourceFile};
use andon_schemas::time::{EventTime, Interval, Span};
use serde_json::Value;

const ROWS: usize = 400_000;
const REPEATS: usize = 7;
/// What a detector is asked with, in the order of the figures.
const HOOKS: [&str; 4] = ["row", "flow", "reading", "close"];

fn main() -> Result<(), String> {
    let mut sheet = Sheet::new("detectors, one core, 500 devices, honest rows");
    let mut stage = Stage::new(500)?;
    let inputs = stage.inputs(ROWS)?;
    let bundles: Vec<&Bundle> = inputs
        .iter()
        .flat_map(|input| match input {
            Input::Bundle(bundle) => vec![bundle.as_ref()],
            Input::Batch(batch) => batch.bundles.iter().map(|(_, bundle)| bundle).collect(),
            Input::Tick { .. } | Input::EndOfInput { .. } | Input::Control(_) => Vec::new(),
        })
        .collect();
    let inventory = stage.plant.inventory();
    let nobody = Types::compile(inventory, &stage.profiles, None);
    let panes = panes(inventory, &nobody, &bundles);
    let facts = Facts::gather(inventory, &nobody, &bundles, &panes);
    let names = CATALOG.iter().map(|entry| entry.name);
    let nobody_costs = facts.time(&nobody);
    for name in names {
        let costs = facts.time(&Types::compile(inventory, &stage.profiles, Some(name)));
        let net: Vec<String> = HOOKS
            .iter()
            .zip(costs.iter().zip(&nobody_costs))
            .map(|(hook, (cost, nobody))| format!("{hook} {:>4.1}", (cost - nobody).max(0.0)))
            .collect();
        sheet.figure(name, &net.join("   "), "≤ 15 ns a row");
    }
    sheet.print();
    Ok(())
}

/// The device types with one detector switched on, or none.
struct Types {
    index: BTreeMap<String, usize>,
    baselines: Vec<Baseline>,
    plans: Vec<Plans>,
}

/// A hundred thousand hostile addresses, none of which anybody talks to.
fn hostile() -> Arc<IndicatorSet> {
    let address = |n: u32| Ipv4Addr::from(0x1400_0000 + n.wrapping_mul(2_654_435_761) % (1 << 29));
    let list: Vec<String> = (0..100_000).map(|n| address(n).to_string()).collect();
    let file = SourceFile {
        path: "hostile.txt",
        text: &list.join("\n"),
    };
    Arc::new(indicator::parse(&[file]).unwrap_or_default())
}

impl Types {
    fn compile(inventory: &Inventory, profiles: &ProfileSet, only: Option<&str>) -> Self {
        let clock = Arc::new(inventory.clock.clone());
        let indicators = hostile();
        let baseline = |profile: &Profile| {
            let mut profile = profile.clone();
            for entry in CATALOG.iter().filter(|entry| Some(entry.name) != only) {
                let setting = profile.detectors.entry(entry.name.to_owned()).or_default();
                *setting = DetectorSetting {
                    off: true,
                    ..*setting
                };
            }
            Baseline::compile(Arc::new(profile), inventory, clock.clone())
                .with_indicators(indicators.clone())
        };
        let baselines: Vec<Baseline> = profiles.iter().map(baseline).collect();
        let numbered = profiles.iter().zip(0..);
        Self {
            index: numbered
                .map(|(profile, at)| (profile.name.clone(), at))
                .collect(),
            plans: baselines.iter().map(Plans::compile).collect(),
            baselines,
        }
    }
}

/// Where a row belongs.
#[derive(Clone, Copy)]
struct Place {
    device: usize,
    device_type: usize,
}

/// Everything honest there is to look at.
struct Facts<'a> {
    rows: Vec<(Place, RowFacts<'a>)>,
    flows: Vec<(Place, FlowFacts<'a>)>,
    readings: Vec<(Place, ReadingFacts<'a>)>,
    closes: Vec<(Place, CloseFacts<'a>)>,
    devices: usize,
}

/// Takes what is seen and does nothing with it.
struct Nothing;

impl Sink for Nothing {
    fn seen(&mut self, index: usize, brief: Brief, _: &dyn Fn() -> (Evidence, Value)) {
        black_box((index, brief));
    }
    fn over(&mut self, index: usize) {
        black_box(index);
    }
}

/// Every row whose device has a profile, with the place of the device.
fn placed<'a>(
    inventory: &'a Inventory,
    types: &'a Types,
    bundles: &'a [&'a Bundle],
) -> impl Iterator<Item = (Place, &'a Bundle, RowRef, HeaderRow<'a>)> {
    bundles.iter().flat_map(move |bundle| {
        bundle.order.iter().filter_map(move |row| {
            let header = bundle.header(row.kind).row(row.row as usize);
            let device = inventory.position(header.device)?;
            let device_type = *types.index.get(&inventory.devices[device].device_type)?;
            let place = Place {
                device,
                device_type,
            };
            Some((place, *bundle, *row, header))
        })
    })
}

fn device_facts<'a>(inventory: &'a Inventory, types: &'a Types, place: Place) -> DeviceFacts<'a> {
    let device = &inventory.devices[place.device];
    let baseline = &types.baselines[place.device_type];
    DeviceFacts {
        id: &device.id,
        listed: Some(device),
        segment: inventory.segments.get(device.segment),
        policy: baseline.policies.get(device.segment),
        baseline,
    }
}

/// What each device did on average in an hour.
fn panes(inventory: &Inventory, types: &Types, bundles: &[&Bundle]) -> Vec<Pane> {
    let mut panes = vec![Pane::default(); inventory.devices.len()];
    for (place, bundle, row, _) in placed(inventory, types, bundles) {
        if row.kind != Kind::Flow {
            continue;
        }
        let flow = bundle.flows.row(row.row as usize);
        let baseline = &types.baselines[place.device_type];
        let pane = &mut panes[place.device];
        match flow.role {
            Role::Originator => {
                let cell = |cell: Option<u8>| usize::from(cell.unwrap_or(u8::MAX)).min(CELLS - 1);
                pane.opened += 1;
                pane.destinations[cell(baseline.destination(flow.peer))] += 1;
            }
            Role::Responder => pane.accepted += 1,
        }
    }
    panes
}

impl<'a> Facts<'a> {
    fn gather(
        inventory: &'a Inventory,
        types: &'a Types,
        bundles: &'a [&'a Bundle],
        panes: &'a [Pane],
    ) -> Self {
        let mut facts = Self {
            rows: Vec::new(),
            flows: Vec::new(),
            readings: Vec::new(),
            closes: Vec::new(),
            devices: inventory.devices.len(),
        };
        for (place, bundle, row, header) in placed(inventory, types, bundles) {
            let device = device_facts(inventory, types, place);
            let (at, kind) = (header.event_time, row.kind);
            let index = row.row as usize;
            let late = false;
            facts.rows.push((
                place,
                RowFacts {
                    device,
                    kind,
                    at,
                    late,
                },
            ));
            if kind == Kind::Flow {
                let flow = flow_facts(device, bundle.flows.row(index), at, &panes[place.device]);
                facts.flows.push((place, flow));
            } else if kind == Kind::Reading {
                let (reading, in_hours) = (bundle.readings.row(index), true);
                let reading = ReadingFacts {
                    device,
                    reading,
                    at,
                    in_hours,
                    excused: false,
                    late,
                };
                facts.readings.push((place, reading));
            }
        }
        facts.close(inventory, types, panes);
        facts
    }

    /// Every device closes a day of hours.
    fn close(&mut self, inventory: &'a Inventory, types: &'a Types, panes: &'a [Pane]) {
        for hour in 0..24 {
            let start = EventTime::default() + Span::HOUR.times(490_000 + hour);
            for (device, pane) in panes.iter().enumerate() {
                let name = &inventory.devices[device].device_type;
                let Some(device_type) = types.index.get(name).copied() else {
                    continue;
                };
                let place = Place {
                    device,
                    device_type,
                };
                let close = CloseFacts {
                    device: device_facts(inventory, types, place),
                    pane,
                    window: Interval {
                        start,
                        end: start + Span::HOUR,
                    },
                    active_share: 1.0,
                    partial: false,
                };
                self.closes.push((place, close));
            }
        }
    }

    /// Nanoseconds that each of [`HOOKS`] takes in the best of several runs.
    fn time(&self, types: &Types) -> [f64; 4] {
        let cost = |count: usize, ask: &mut dyn FnMut(&mut [States])| {
            let runs = Runs::timed(REPEATS, || {
                let mut states = vec![States::default(); self.devices];
                let began = Instant::now();
                ask(&mut states);
                black_box(&states);
                began.elapsed()
            });
            #[expect(clippy::cast_precision_loss, reason = "one digit is shown")]
            let each = runs.best() * 1e9 / count.max(1) as f64;
            each
        };
        let plans = |place: &Place| &types.plans[place.device_type];
        [
            cost(self.rows.len(), &mut |states| {
                for (place, facts) in &self.rows {
                    plans(place).on_row(&mut states[place.device], facts, &mut Nothing);
                }
            }),
            cost(self.flows.len(), &mut |states| {
                for (place, facts) in &self.flows {
                    plans(place).on_flow(&mut states[place.device], facts, &mut Nothing);
                }
            }),
            cost(self.readings.len(), &mut |states| {
                for (place, facts) in &self.readings {
                    plans(place).on_reading(&mut states[place.device], facts, &mut Nothing);
                }
            }),
            cost(self.closes.len(), &mut |states| {
                for (place, facts) in &self.closes {
                    plans(place).on_close(&mut states[place.device], facts, &mut Nothing);
                }
            }),
        ]
    }
}

/// A flow as the engine works it out.
fn flow_facts<'a>(
    device: DeviceFacts<'a>,
    flow: FlowRow<'a>,
    at: EventTime,
    pane: &'a Pane,
) -> FlowFacts<'a> {
    let baseline = device.baseline;
    let destination = baseline.destination(flow.peer);
    FlowFacts {
        device,
        flow,
        at,
        destination,
        protocol: baseline.protocol(flow.transport, flow.port, flow.service),
        peer_expected: destination.is_some() || baseline.may_connect(flow.peer),
        up: flow.up.unwrap_or(0),
        down: flow.down.unwrap_or(0),
        first: true,
        in_hours: true,
        excused: false,
        late: false,
        pane: Some(pane),
    }
}
