//! Does one place get more than its share of a device's connections? What the mixes of
//! destinations and of protocols share.
//!
//! Each cell of the profile with a written share is bet on separately; all that has none is one
//! more cell, "others" (stats.md §5.3). The step is the window. Connections come in runs, so the
//! square root of each e-value is used: it is an e-value too (Jensen), and exact where every
//! connection is made twice.

use std::sync::Arc;

use andon_schemas::finding::Evidence;
use andon_schemas::time::{EventTime, PlantClock, Span};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::detector::Signal;
use crate::facts::CELLS;
use crate::shift::WINDOWS_PER_DAY;
use crate::standing::{Standing, WRITTEN, score, step};
use crate::stats::evidence::{Arming, Bets, Purse, Stake};
use crate::stats::share::{CONCENTRATION, NAMED_MAX, ShareNull};
use crate::words::three_digits;

/// Connections of each counter of a window.
type Counts = [u16; CELLS];

/// What is normal for a device type.
pub(crate) struct MixPlan {
    null: ShareNull,
    /// Counters with a written share, with their names, in the order of the cells.
    named: Vec<(usize, String)>,
    stake: Stake,
    clock: Arc<PlantClock>,
}

/// What a device remembers: 132 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Mix {
    cells: [Bets<3>; CELLS],
    /// Connections in each counter since evidence began to rise.
    sums: Counts,
    purse: Purse,
    /// Windows in these sums.
    hours: u16,
    arming: Arming,
}

/// A closed window: what one assessment is computed from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Inputs {
    /// Hours since the epoch.
    hour: i32,
    counts: Counts,
    /// What was remembered before it.
    before: Mix,
}

/// How a detector speaks of cells.
pub(crate) struct Wording {
    /// Before the name of a cell: `went to`.
    pub verb: &'static str,
    /// All cells without a written share: `other destinations`.
    pub others: &'static str,
    /// ATT&CK for ICS technique ids.
    pub techniques: &'static [&'static str],
}

impl MixPlan {
    /// Compiles shares in the order of the counters; `None` if none is written.
    pub(crate) fn new(
        shares: impl Iterator<Item = (String, Option<f64>)>,
        stake: f32,
        clock: Arc<PlantClock>,
    ) -> Option<Self> {
        let written: Vec<(usize, String, f64)> = shares
            .take(NAMED_MAX)
            .enumerate()
            .filter_map(|(counter, (name, share))| Some((counter, name, share?)))
            .collect();
        let shares: Vec<f64> = written.iter().map(|(_, _, share)| *share).collect();
        let null = ShareNull::from_shares(&shares, CONCENTRATION).ok()?;
        Some(Self {
            null,
            named: written
                .into_iter()
                .map(|(at, name, _)| (at, name))
                .collect(),
            stake: Stake::new(stake, WINDOWS_PER_DAY),
            clock,
        })
    }

    /// Connections in a cell.
    fn count(&self, cell: usize, counts: &Counts) -> u32 {
        let own = |counter: &usize| u32::from(counts[*counter]);
        match self.named.get(cell) {
            Some((counter, _)) => own(counter),
            None => {
                total(counts)
                    - self
                        .named
                        .iter()
                        .map(|(counter, _)| own(counter))
                        .sum::<u32>()
            }
        }
    }
}

impl Mix {
    /// What is remembered after a window. Pure, so that a stored state explains itself.
    fn after(&self, plan: &MixPlan, hour: i32, counts: &Counts) -> Self {
        let mut next = *self;
        let moment = EventTime::from_micros(Span::HOUR.times(i64::from(hour)).micros());
        let staked = plan
            .stake
            .draw(&mut next.purse, plan.clock.local(moment).day);
        let cells = plan.null.cells();
        #[expect(clippy::cast_precision_loss, reason = "at most eight cells")]
        let part = staked / cells as f32;
        for (cell, bets) in next.cells.iter_mut().enumerate().take(cells) {
            let e = plan
                .null
                .e_values(cell, plan.count(cell, counts), total(counts));
            step(bets, part, &e.map(f32::sqrt));
        }
        if next.evidence() < plan.stake.per_day() {
            (next.sums, next.hours) = (Counts::default(), 0);
        } else {
            for (sum, count) in next.sums.iter_mut().zip(counts) {
                *sum = sum.saturating_add(*count);
            }
            next.hours = next.hours.saturating_add(1);
        }
        next
    }

    /// Takes a window in; says what that came to.
    fn take(&mut self, plan: &MixPlan, hour: i32, counts: &Counts) -> Standing {
        *self = self.after(plan, hour, counts);
        let evidence = self.evidence();
        Standing::of(&mut self.arming, evidence)
    }

    /// Evidence of all cells, in device-days per false alarm.
    fn evidence(&self) -> f32 {
        self.cells.iter().map(Bets::total).sum()
    }

    /// The cell with the most evidence.
    fn leading(&self) -> usize {
        let mut cell = 0;
        for (at, bets) in self.cells.iter().enumerate() {
            if bets.total() > self.cells[cell].total() {
                cell = at;
            }
        }
        cell
    }
}

/// What a closed window comes to; one without connections says nothing.
pub(crate) fn close(plan: &MixPlan, state: &mut Mix, hour: i32, counts: Counts) -> Signal<Inputs> {
    if total(&counts) == 0 {
        return Signal::Quiet;
    }
    let before = *state;
    let standing = state.take(plan, hour, &counts);
    let magnitude = f64::from(plan.count(state.leading(), &counts));
    standing.signal(state.evidence(), magnitude, || Inputs {
        hour,
        counts,
        before,
    })
}

/// Puts a window into words.
pub(crate) fn assess(plan: &MixPlan, inputs: &Inputs, wording: &Wording) -> Evidence {
    let after = inputs.before.after(plan, inputs.hour, &inputs.counts);
    let cell = after.leading();
    let name = plan
        .named
        .get(cell)
        .map_or(wording.others, |(_, name)| name);
    let (now, since) = (
        plan.count(cell, &inputs.counts),
        plan.count(cell, &after.sums),
    );
    let all = total(&after.sums);
    let hours = match after.hours.max(1) {
        1 => "In the last hour".to_owned(),
        hours => format!("In the last {hours} hours"),
    };
    let share = plan.null.expected(cell).unwrap_or(0.0);
    Evidence {
        floor: None,
        score: score(after.evidence()),
        p_value: None,
        magnitude: f64::from(now),
        observed: json!({
            "cell": name, "connections": since, "of": all, "hours": after.hours,
            "connections_this_hour": now, "of_this_hour": total(&inputs.counts),
            "device_days_per_false_alarm": after.evidence(),
        }),
        expected: json!({
            "share": share, "share_max": plan.null.upper(cell),
        }),
        sentence: format!(
            "{hours} {since} of its {all} connections ({} %) {} {name}, where {} % are expected.",
            three_digits(100.0 * f64::from(since) / f64::from(all.max(1))),
            wording.verb,
            three_digits(100.0 * share),
        ),
        clears: "Hours with the shares of its type, until the evidence has fallen tenfold."
            .to_owned(),
        techniques: wording
            .techniques
            .iter()
            .map(|id| (*id).to_owned())
            .collect(),
        confidence: WRITTEN,
    }
}

/// Connections of all counters.
fn total(counts: &Counts) -> u32 {
    counts.iter().copied().map(u32::from).sum()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::detector::Detector;
    use crate::facts::{CloseFacts, Pane};
    use crate::stage::{Stage, check, seen, time};
    use crate::stats::dice::Dice;
    use andon_schemas::time::Interval;

    /// Plays closed hours to a detector of shares, each symbol an hour with its pane; what was
    /// seen. What is assessed later scores as it did when it was seen.
    pub(crate) fn play<D>(profile: &str, pane: impl Fn(char) -> Pane, drawing: &str) -> Vec<Inputs>
    where
        D: Detector<Plan = MixPlan, State = Mix, Inputs = Inputs>,
    {
        let stage = Stage::of(profile);
        let plan = D::plan(&stage.baseline, 0.05).unwrap();
        let mut memory = Mix::default();
        let (mut hour, mut come) = (490_000, Vec::new());
        check(drawing, |symbol| {
            hour += 1;
            let pane = Pane {
                hour,
                ..pane(symbol)
            };
            let start = time("2025-11-24T16:00:00Z");
            let facts = CloseFacts {
                device: stage.device(),
                pane: &pane,
                window: Interval {
                    start,
                    end: start + Span::HOUR,
                },
                active_share: 1.0,
                partial: false,
            };
            let signal = D::on_close(&plan, &mut memory, &facts);
            if let Signal::Seen(sighting) = &signal {
                assert!(sighting.floor.is_none() && sighting.score >= 25);
                let evidence = D::assess(&plan, &sighting.inputs);
                assert_eq!(evidence.score, sighting.score);
                come.push(seen(Signal::Seen(*sighting)).inputs);
            }
            signal
        });
        come
    }

    const SHARES: [f64; 3] = [0.90, 0.08, 0.02];

    /// Windows of so many connections, each made `run` times to the same cell.
    fn draw(dice: &mut Dice, run: u16, shares: [f64; 3]) -> Counts {
        let mut counts = Counts::default();
        for _ in 0..dice.poisson(20.0 / f64::from(run)) {
            let (mut left, mut cell) = (dice.uniform(), 0);
            while cell < 2 && left >= shares[cell] {
                left -= shares[cell];
                cell += 1;
            }
            counts[cell] += run;
        }
        counts
    }

    /// How many of 40 devices stand at some hour of so many days.
    fn alarms(days: i32, run: u16, shares: [f64; 3]) -> usize {
        let named = SHARES.iter().map(|share| (share.to_string(), Some(*share)));
        let clock = Arc::new(PlantClock::new("Europe/Berlin").unwrap());
        let plan = MixPlan::new(named, 0.1, clock).unwrap();
        let mut dice = Dice(11);
        let devices = (0..40).filter(|_| {
            let mut mix = Mix::default();
            (0..days * 24).any(|hour| {
                let counts = draw(&mut dice, run, shares);
                mix.take(&plan, 490_000 + hour, &counts) == Standing::Stands
            })
        });
        devices.count()
    }

    #[test]
    fn runs_of_two_stay_within_the_promise_and_a_share_that_triples_is_found() {
        // 1.11 alarms per 10 device-days of stake: 40 devices, 30 days, a tenth of the stake.
        assert!(alarms(30, 1, SHARES) <= 13);
        assert!(alarms(30, 2, SHARES) <= 13);
        assert!(alarms(7, 1, [0.74, 0.24, 0.02]) >= 36);
    }

    #[test]
    fn cells_without_a_share_are_counted_together() {
        let named = [("a", Some(0.5)), ("b", None), ("c", Some(0.3))];
        let named = named.map(|(name, share)| (name.to_owned(), share));
        let clock = Arc::new(PlantClock::new("Europe/Berlin").unwrap());
        let plan = MixPlan::new(named.into_iter(), 0.1, clock).unwrap();
        let counts = [5, 7, 3, 0, 0, 0, 0, 2];
        let cells: Vec<u32> = (0..3).map(|cell| plan.count(cell, &counts)).collect();
        assert_eq!(cells, [5, 3, 9]);
        assert!(size_of::<Mix>() <= 132, "{}", size_of::<Mix>());
    }
}
