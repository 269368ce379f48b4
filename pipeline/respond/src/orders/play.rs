//! Plays of everything that can happen, in any order.

use andon_schemas::act::{AckResult, Act, ActKind};
use andon_schemas::command::{Action, Approval, FlowMatch, MAINTENANCE, Mode};
use andon_schemas::grade::Grade;
use andon_schemas::verdict::{State, Verdict};
use proptest::prelude::*;

use super::tests::{ack, act, asks, id, second};
use super::{Input, Orders, Output};
use crate::plant_of_tests::Strict;

pub(super) const DEVICES: [&str; 5] = ["a-1", "a-2", "a-3", "a-4", "b-1"];
pub(super) const CAP: usize = 2;

/// One thing that happens.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Verdict {
        device: usize,
        action: Action,
        mode: Mode,
        approval: u8,
        kind: u8,
    },
    Act {
        device: usize,
        kind: u8,
        name: u8,
        pick: usize,
    },
    Ack {
        pick: usize,
        done: bool,
    },
    Tick,
    Policy {
        guarded: usize,
        from: u8,
        protected: u8,
        maintained: Option<usize>,
    },
}

pub(super) fn events() -> impl Strategy<Value = Vec<(i64, Event)>> {
    let verdict = (
        0..DEVICES.len(),
        prop::sample::select(Action::ALL),
        prop::sample::select(Mode::ALL),
        0..4_u8,
        0..8_u8,
    )
        .prop_map(|(device, action, mode, approval, kind)| Event::Verdict {
            device,
            action,
            mode,
            approval,
            kind,
        });
    let acts =
        (0..DEVICES.len(), 0..6_u8, 0..30_u8, 0..8_usize).prop_map(|(device, kind, name, pick)| {
            Event::Act {
                device,
                kind,
                name,
                pick,
            }
        });
    let answers = (0..8_usize, any::<bool>()).prop_map(|(pick, done)| Event::Ack { pick, done });
    let policy = (
        0..=DEVICES.len(),
        0..5_u8,
        1..4_u8,
        prop::option::of(0..DEVICES.len()),
    )
        .prop_map(|(guarded, from, protected, maintained)| Event::Policy {
            guarded,
            from,
            protected,
            maintained,
        });
    let event = prop_oneof![
        8 => verdict, 4 => acts, 3 => answers, 3 => Just(Event::Tick), 1 => policy
    ];
    let later = prop_oneof![6 => 0..20_i64, 2 => 20..90_i64, 1 => 90..5_000_i64];
    prop::collection::vec((later, event), 1..60)
}

fn flow(number: u8) -> FlowMatch {
    FlowMatch {
        peer: format!("safety-{number}"),
        transport: None,
        port: None,
    }
}

/// The plant as a play goes on.
pub(super) struct Play {
    pub(super) at: i64,
    pub(super) policy: Strict,
    pub(super) orders: Orders,
    episodes: [(u32, u32); DEVICES.len()],
}

impl Play {
    pub(super) fn new() -> Self {
        Self {
            at: 0,
            policy: Strict {
                cap: CAP,
                ..Strict::default()
            },
            orders: Orders::new(),
            episodes: [(0, 0); DEVICES.len()],
        }
    }

    pub(super) fn ids(&self) -> Vec<String> {
        let devices = self.orders.devices();
        let kept = devices.flat_map(|device| self.orders.histories(device));
        let mut ranked: Vec<_> = kept
            .map(|found| (found.order.updated, found.order.command.command_id))
            .collect();
        ranked.sort();
        // The newest first: acts and answers should find what stands.
        ranked.into_iter().rev().map(|(_, id)| id).collect()
    }

    pub(super) fn step(&mut self, later: i64, event: &Event) -> Output {
        self.at += later;
        match event {
            Event::Verdict { .. } => {
                let verdict = self.revision(event);
                self.orders.step(&self.policy, Input::Verdict(&verdict))
            }
            Event::Act { .. } => match self.act(event) {
                Some(act) => self.orders.step(&self.policy, Input::Act(&act)),
                None => Output::default(),
            },
            Event::Ack { pick, done } => {
                let ids = self.ids();
                let result = if *done {
                    AckResult::Done
                } else {
                    AckResult::Failed
                };
                let name = ids.get(*pick).map_or("none", String::as_str);
                self.orders
                    .step(&self.policy, Input::Ack(&ack(name, result)))
            }
            Event::Tick => {
                let at = second(self.at);
                self.orders.step(&self.policy, Input::Tick(at))
            }
            Event::Policy {
                guarded,
                from,
                protected,
                maintained,
            } => {
                self.policy.guarded = DEVICES.get(*guarded).map(|d| id(d)).into_iter().collect();
                self.policy.from = Grade::ALL.get(usize::from(*from)).copied();
                self.policy.protected = (0..*protected).map(flow).collect();
                let until = second(self.at + 200);
                let maintained = maintained.map(|at| (id(DEVICES[at]), until));
                self.policy.maintained = maintained.into_iter().collect();
                self.orders.step(&self.policy, Input::Policy)
            }
        }
    }

    pub(super) fn revision(&mut self, event: &Event) -> Verdict {
        let Event::Verdict {
            device,
            action,
            mode,
            approval,
            kind,
        } = event
        else {
            unreachable!()
        };
        let (episode, number) = &mut self.episodes[*device];
        *number += 1;
        // Some come late.
        let at = if *kind == 1 { self.at - 30 } else { self.at };
        let mut verdict = asks(DEVICES[*device], *number, at, *action);
        verdict.verdict_id = format!("v{episode}-{device}");
        verdict.response.mode = *mode;
        if *approval < 2 {
            verdict.response.approval = Approval::Required;
        }
        if *approval == 1 {
            verdict.response.note = MAINTENANCE.to_owned();
        }
        if *kind == 0 {
            verdict.state = State::Cleared;
            (*episode, *number) = (*episode + 1, 0);
        }
        verdict
    }

    pub(super) fn act(&self, event: &Event) -> Option<Act> {
        let Event::Act {
            device,
            kind,
            name,
            pick,
        } = event
        else {
            unreachable!()
        };
        let device = id(DEVICES[*device]);
        let chosen = || self.ids().get(*pick).cloned();
        let kind = match kind {
            0 => ActKind::Approve {
                command_id: chosen()?,
            },
            1 => ActKind::Reject {
                command_id: chosen()?,
            },
            2 => ActKind::Release {
                command_id: chosen()?,
            },
            3 => ActKind::ReleaseDevice { device },
            4 => ActKind::Quarantine {
                device,
                hours: Some(1),
            },
            _ => ActKind::Suppress { device, hours: 1 },
        };
        Some(act(&name.to_string(), self.at, kind))
    }
}
