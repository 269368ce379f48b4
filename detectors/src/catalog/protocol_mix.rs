//! # Does it speak one of its protocols more often than it should?
//!
//! ## What it sees
//! The share of new connections in each protocol of the profile, hour after hour: an engineering
//! or update protocol that takes over from the one that carries the data.
//!
//! ## When it cries wolf
//! A changed driver that renews its sessions more often in one protocol than in the others.
//!
//! ## Method
//! Binomial likelihood ratios per closed window and cell against the upper bound that the written
//! share allows, tempered for connections that come in runs (stats.md §5.4; `mix.rs`).

use andon_schemas::finding::Evidence;
use andon_schemas::grade::Plane;

use crate::baseline::Baseline;
use crate::detector::{Clock, Detector, Signal};
use crate::facts::CloseFacts;
use crate::mix::{self, Inputs, Mix, MixPlan, Wording};

const WORDING: Wording = Wording {
    verb: "spoke",
    others: "other protocols",
    techniques: &["T0869", "T0885"],
};

pub(crate) struct ProtocolMix;

impl Detector for ProtocolMix {
    const NAME: &'static str = "protocol_mix";
    const QUESTION: &'static str = "Does it speak one of its protocols more often than it should?";
    const CRIES_WOLF: &'static str =
        "A driver that renews its sessions in one protocol more often than in others.";
    const READS: &'static str = "protocols";
    const GRADE: &'static str = "by evidence";
    const PLANE: Plane = Plane::Network;
    const CLOCK: Clock = Clock::Window;
    const WEIGHT: f32 = 3.0;

    type Plan = MixPlan;
    type State = Mix;
    type Inputs = Inputs;

    fn plan(baseline: &Baseline, stake: f32) -> Option<MixPlan> {
        let profile = &baseline.profile;
        let shares = profile
            .protocols
            .iter()
            .map(|one| (one.name.clone(), one.share));
        let plan = MixPlan::new(shares, stake, baseline.clock.clone())?;
        Some(plan.learned(baseline.share_law(Self::NAME)))
    }

    fn on_close(plan: &MixPlan, state: &mut Mix, facts: &CloseFacts) -> Signal<Inputs> {
        mix::close(plan, state, Self::NAME, facts, facts.pane.protocols)
    }

    fn assess(plan: &MixPlan, inputs: &Inputs) -> Evidence {
        mix::assess(plan, inputs, &WORDING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Pane;
    use crate::mix::tests::play;
    use crate::stage::Stage;

    const PROFILE: &str = "
protocols: { modbus: 80 %, ethernet-ip: 15 %, ntp: 5 % }
";

    // h an honest hour, e an empty one, s one with a share that has grown fivefold.
    fn hour(symbol: char) -> Pane {
        of(match symbol {
            'h' => [20, 4, 1, 0, 0, 0, 0, 0],
            's' => [11, 4, 10, 0, 0, 0, 0, 0],
            _ => [0; 8],
        })
    }

    fn of(protocols: [u16; 8]) -> Pane {
        Pane {
            protocols,
            ..Pane::default()
        }
    }

    #[test]
    fn honest_shares_are_silent_whatever_the_number_of_connections() {
        play::<ProtocolMix>(
            PROFILE,
            hour,
            "
            hhhhhhhhehhhhhhhhhhhhhehhhhh
            ............................
            ",
        );
        play::<ProtocolMix>(
            PROFILE,
            |_| of([8_000, 1_500, 500, 0, 0, 0, 0, 0]),
            "
            hhhhhhhhhhhhhhhhhhhhhhhh
            ........................
            ",
        );
    }

    #[test]
    fn a_share_that_grows_is_seen_told_and_over() {
        let come = play::<ProtocolMix>(
            PROFILE,
            hour,
            "
            hhhh ssssssssss hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh
            .... ..!!!!!!!! !.o.................................
            ",
        );
        let stage = Stage::of(PROFILE);
        let plan = ProtocolMix::plan(&stage.baseline, 0.05).unwrap();
        let sentence = ProtocolMix::assess(&plan, come.last().unwrap()).sentence;
        assert!(
            sentence.contains("ntp") && sentence.contains("where 4.98 % are expected"),
            "{sentence}"
        );
    }

    #[test]
    fn without_written_shares_there_is_nothing_to_compare_with() {
        let stage = Stage::of("protocols: [modbus, ntp]");
        assert!(ProtocolMix::plan(&stage.baseline, 0.05).is_none());
    }
}
