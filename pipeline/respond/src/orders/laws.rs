//! What no sequence of inputs may bring about.

use std::collections::{BTreeMap, BTreeSet};

use andon_schemas::command::{Action, Command, Mode};
use andon_schemas::grade::Grade;
use andon_schemas::identity::DeviceId;
use andon_schemas::order::OrderState;
use andon_schemas::time::{EventTime, Span};
use proptest::prelude::*;

use super::dossier::is_cut;
use super::play::{CAP, DEVICES, Event, Play, events};
use super::tests::{id, second};
use super::{Input, Orders, Output};
use crate::device_view;
use crate::plant_of_tests::Strict;

/// What enforcement points do who obey whatever they are told.
#[derive(Default)]
struct Obedient {
    /// By device and action: the newest command of a key.
    held: BTreeMap<(DeviceId, Action), Command>,
    /// When a device was newly cut.
    cuts: Vec<(EventTime, DeviceId)>,
}

impl Obedient {
    fn is_cut(&self, device: &DeviceId, now: EventTime) -> bool {
        self.held.iter().any(|((of, _), command)| {
            of == device
                && is_cut(&command.response)
                && device_view(command).is_some_and(|view| view.expiry > now)
        })
    }

    /// Takes what a step said; returns what is wrong with it.
    fn obey(&mut self, out: &Output, play: &Play) -> Result<(), TestCaseError> {
        let now = play.orders.now();
        for command in &out.issued {
            let view = device_view(command);
            prop_assert!(view.is_some(), "told what no device may see");
            let was_cut = self.is_cut(&command.device_id, now);
            let key = (command.device_id.clone(), command.response.action);
            self.held.insert(key, command.clone());
            if command.release {
                continue;
            }
            for flow in &play.policy.protected {
                prop_assert!(command.response.exceptions.contains(flow), "cuts {flow:?}");
            }
            if !was_cut && self.is_cut(&command.device_id, now) {
                self.cuts.push((now, command.device_id.clone()));
            }
        }
        Ok(())
    }
}

fn by_a_person(play: &Play, command: &Command) -> bool {
    let order = play.orders.order(&command.command_id);
    command.verdict_id.starts_with("act:")
        || order.is_some_and(|found| {
            let approved = |step: &&andon_schemas::order::OrderStep| {
                step.state == OrderState::Approved && step.by.is_some()
            };
            found.history.iter().find(approved).is_some()
                // Given anew, of one that a person agreed to.
                || found.history.iter().any(|step| step.reason.contains("stay open"))
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_play_cuts_a_safety_flow_passes_the_cap_outlives_its_time_or_does_without_a_person(
        events in events()
    ) {
        let mut play = Play::new();
        let mut field = Obedient::default();
        for (later, event) in &events {
            let out = play.step(*later, event);
            field.obey(&out, &play)?;
            let now = play.orders.now();
            for (device, dossier) in &play.orders.dossiers {
                for entry in dossier.entries.iter().filter(|e| e.state().is_in_force()) {
                    prop_assert!(entry.expires() > now, "{device} is held beyond its time");
                    let guarded = play.policy.guarded.contains(device);
                    if guarded && is_cut(entry.response()) {
                        prop_assert!(by_a_person(&play, &entry.order.command), "{entry:?}");
                    }
                    for flow in &play.policy.protected {
                        prop_assert!(
                            entry.response().action <= Action::Watch
                                || entry.response().exceptions.contains(flow)
                        );
                    }
                    if entry.binds() {
                        prop_assert!(play.policy.enforces_grade(entry.grade));
                    }
                }
            }
        }
    }

    #[test]
    fn within_a_minute_no_more_devices_of_a_segment_are_cut_than_the_cap_allows(
        events in events()
    ) {
        let mut play = Play::new();
        let mut cuts: Vec<(EventTime, DeviceId)> = Vec::new();
        for (later, event) in &events {
            let was: Vec<bool> = DEVICES.iter().map(|d| bound(&play.orders, d)).collect();
            play.step(*later, event);
            for (device, was) in DEVICES.iter().zip(was) {
                let dossier = play.orders.of(&id(device));
                let last = dossier.and_then(|dossier| dossier.cuts.iter().rfind(|c| c.by_force));
                if let Some(last) = last {
                    let cut = (last.at, id(device));
                    if !cuts.contains(&cut) {
                        cuts.push(cut);
                    }
                } else {
                    prop_assert!(was || !bound(&play.orders, device), "cut uncounted");
                }
            }
        }
        for (end, device) in &cuts {
            let segment = &device.as_str()[..1];
            let mut within: Vec<&str> = cuts
                .iter()
                .filter(|(at, of)| {
                    *at <= *end && *at + Span::MINUTE > *end && of.as_str().starts_with(segment)
                })
                .map(|(_, of)| of.as_str())
                .collect();
            within.sort_unstable();
            within.dedup();
            prop_assert!(within.len() <= CAP, "{within:?} at {end}");
        }
    }

    #[test]
    fn equal_inputs_give_equal_outputs_across_a_restart(
        events in events(),
        cut in any::<prop::sample::Index>()
    ) {
        let cut = cut.index(events.len());
        let (mut one, mut other) = (Play::new(), Play::new());
        for (number, (later, event)) in events.iter().enumerate() {
            if number == cut {
                let bytes = postcard::to_stdvec(&other.orders).unwrap();
                other.orders = postcard::from_bytes(&bytes).unwrap();
            }
            prop_assert_eq!(one.step(*later, event), other.step(*later, event));
        }
        let bytes = |play: &Play| postcard::to_stdvec(&play.orders).unwrap();
        prop_assert_eq!(bytes(&one), bytes(&other));
    }

    #[test]
    fn what_comes_twice_is_done_once(events in events()) {
        let mut play = Play::new();
        for (later, event) in &events {
            play.at += later;
            if let Event::Act { .. } = event
                && let Some(act) = play.act(event)
            {
                let first = play.orders.step(&play.policy, Input::Act(&act));
                let again = play.orders.step(&play.policy, Input::Act(&act));
                if first.acted.is_some_and(|acted| acted.is_ok()) {
                    prop_assert!(again.issued.is_empty() && again.audit.is_empty());
                }
            } else {
                play.step(0, event);
            }
        }
    }

    #[test]
    fn nobody_is_told_the_same_twice_or_of_an_end_while_the_device_is_cut(events in events()) {
        let mut play = Play::new();
        let mut known = BTreeSet::new();
        for (later, event) in &events {
            let out = play.step(*later, event);
            for notice in &out.notices {
                prop_assert!(known.insert(notice.id()), "{} again", notice.id());
                let ends = notice.headline.contains("is no longer cut");
                prop_assert_eq!(
                    ends && !out.notices.iter().any(|one| one.state == OrderState::Issued)
                        && bound(&play.orders, notice.device_id.as_str()),
                    false,
                    "{}", notice.headline
                );
            }
        }
    }

    #[test]
    fn everything_ends_and_is_forgotten(events in events()) {
        let mut play = Play::new();
        for (later, event) in &events {
            play.step(*later, event);
            for dossier in play.orders.dossiers.values() {
                prop_assert!(dossier.entries.len() <= 24, "{}", dossier.entries.len());
            }
        }
        play.policy.maintained.clear();
        let far = second(play.at + 400 * 86_400);
        play.orders.step(&play.policy, Input::Tick(far));
        prop_assert_eq!(play.orders.standing(), 0);
        prop_assert!(play.ids().is_empty());
        prop_assert!(play.orders.owners.is_empty());
    }
}

fn bound(orders: &Orders, device: &str) -> bool {
    orders
        .of(&id(device))
        .is_some_and(|dossier| dossier.is_cut(Mode::Enforce))
}

impl Strict {
    fn enforces_grade(&self, grade: Option<Grade>) -> bool {
        self.from
            .is_some_and(|from| grade.is_none_or(|grade| grade >= from))
    }
}
