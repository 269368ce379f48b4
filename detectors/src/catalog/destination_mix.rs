//! # Does one destination get more of its connections than it should?
//!
//! ## What it sees
//! The share of new connections that each destination of the profile gets, hour after hour: a known
//! server that is suddenly spoken to far more often is where patient theft goes.
//!
//! ## When it cries wolf
//! A server that stands in for another one, a poller that was set to a shorter interval.
//!
//! ## Method
//! Binomial likelihood ratios per closed window and cell against the upper bound that the written
//! share allows, tempered for connections that come in runs (stats.md §5.3; `mix.rs`).

use andon_schemas::finding::Evidence;
use andon_schemas::grade::Plane;

use crate::baseline::Baseline;
use crate::detector::{Clock, Detector, Signal};
use crate::facts::CloseFacts;
use crate::mix::{self, Inputs, Mix, MixPlan, Wording};

const WORDING: Wording = Wording {
    verb: "went to",
    others: "other destinations",
    techniques: &["T0882", "T0869"],
};

pub(crate) struct DestinationMix;

impl Detector for DestinationMix {
    const NAME: &'static str = "destination_mix";
    const QUESTION: &'static str =
        "Does one destination get more of its connections than it should?";
    const CRIES_WOLF: &'static str =
        "A server that stands in for another, or a poller set to a shorter interval.";
    const READS: &'static str = "destinations";
    const GRADE: &'static str = "by evidence";
    const PLANE: Plane = Plane::Network;
    const CLOCK: Clock = Clock::Window;
    const WEIGHT: f32 = 5.0;

    type Plan = MixPlan;
    type State = Mix;
    type Inputs = Inputs;

    fn plan(baseline: &Baseline, stake: f32) -> Option<MixPlan> {
        let profile = &baseline.profile;
        let shares = profile
            .destinations
            .iter()
            .map(|one| (one.target.to_string(), one.share));
        let plan = MixPlan::new(shares, stake, baseline.clock.clone())?;
        Some(plan.learned(baseline.share_law(Self::NAME)))
    }

    fn on_close(plan: &MixPlan, state: &mut Mix, facts: &CloseFacts) -> Signal<Inputs> {
        mix::close(plan, state, Self::NAME, facts, facts.pane.destinations)
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
destinations:
  - { name: cnc-historian.mfg.local, share: 95 % }
  - { address: 10.1.10.9, share: 4 % }
  - { address: 10.1.10.8, share: 1 % }
";

    // h an honest hour, e an empty one, s one with a share that has grown fivefold.
    fn hour(symbol: char) -> Pane {
        of(match symbol {
            'h' => [24, 1, 0, 0, 0, 0, 0, 0],
            's' => [19, 6, 0, 0, 0, 0, 0, 0],
            _ => [0; 8],
        })
    }

    fn of(destinations: [u16; 8]) -> Pane {
        Pane {
            destinations,
            ..Pane::default()
        }
    }

    #[test]
    fn honest_shares_are_silent_whatever_the_number_of_connections() {
        play::<DestinationMix>(
            PROFILE,
            hour,
            "
            hhhhhhhhehhhhhhhhhhhhhehhhhh
            ............................
            ",
        );
        play::<DestinationMix>(
            PROFILE,
            |_| of([9_500, 400, 100, 0, 0, 0, 0, 0]),
            "
            hhhhhhhhhhhhhhhhhhhhhhhh
            ........................
            ",
        );
    }

    #[test]
    fn a_share_that_grows_is_seen_told_and_over() {
        let come = play::<DestinationMix>(
            PROFILE,
            hour,
            "
            hhhh ssssssssss hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh
            .... .......!!! !!.o................................
            ",
        );
        let stage = Stage::of(PROFILE);
        let plan = DestinationMix::plan(&stage.baseline, 0.05).unwrap();
        let sentence = DestinationMix::assess(&plan, come.last().unwrap()).sentence;
        assert!(
            sentence.contains("10.1.10.9") && sentence.contains("where 3.98 % are expected"),
            "{sentence}"
        );
    }

    #[test]
    fn without_written_shares_there_is_nothing_to_compare_with() {
        let stage = Stage::of("destinations: [{ address: 10.1.10.9 }]");
        assert!(DestinationMix::plan(&stage.baseline, 0.05).is_none());
    }
}
