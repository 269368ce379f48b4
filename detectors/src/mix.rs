//! Does one place get more than its share of a device's connections? What the mixes of
//! destinations and of protocols share.
//!
//! Each cell of the profile with a written share is bet on separately; all that has none is one
//! more cell, "others" (stats.md §5.3). The step is the window. Where shares are only written, and
//! since connections come in runs, the square root of each e-value is used: it is an e-value too
//! (Jensen), and exact where every connection is made twice. Where they were learned, each device is
//! compared with the shares of its own first week, by calibrated steps
//! ([`ShareLaw`](crate::law::ShareLaw)).

use std::sync::Arc;

use andon_schemas::finding::{Basis, Confidence, Evidence};
use andon_schemas::time::{EventTime, PlantClock, Span};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::detector::Signal;
use crate::facts::{CELLS, CloseFacts};
use crate::law::{Own, Part, ShareLaw};
use crate::packed::{Bet, step_all};
use crate::shift::{HOLD_FROM, WINDOWS_PER_DAY};
use crate::standing::{Standing, WRITTEN, score};
use crate::stats::evidence::{Arming, Purse, Stake};
use crate::stats::share::{CONCENTRATION, NAMED_MAX, ShareNull};
use crate::stats::uniform::uniform_hash;
use crate::words::three_digits;

/// Bets on each cell.
const BETS: usize = 3;

/// Connections of each counter of a window.
type Counts = [u16; CELLS];

/// What is normal for a device type.
pub(crate) struct MixPlan {
    null: ShareNull,
    /// Counters with a written share, with their names, in the order of the cells.
    named: Vec<(usize, String)>,
    stake: Stake,
    clock: Arc<PlantClock>,
    /// What takes the place of the written shares, where it was learned.
    law: Option<Arc<ShareLaw>>,
}

/// What a device remembers: 96 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Mix {
    cells: [[Bet; BETS]; CELLS],
    own: Own,
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
    /// The uniform number of this device and hour that makes counts' scores continuous.
    tie: f64,
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
            law: None,
        })
    }

    /// The same by a law that was learned, if there is one.
    pub(crate) fn learned(self, law: Option<Arc<ShareLaw>>) -> Self {
        Self { law, ..self }
    }

    fn part(&self, cell: usize, counts: &Counts) -> Part {
        Part {
            of_cell: self.count(cell, counts),
            all: total(counts),
        }
    }

    /// The e-values of a cell in a window.
    fn e_values(&self, cell: usize, counts: &Counts, own: &Own, tie: f64) -> [f32; BETS] {
        let Part { of_cell, all } = self.part(cell, counts);
        match &self.law {
            Some(law) => {
                let now = Part { of_cell, all };
                law.e_values(cell, now, self.part(cell, own.counts()), tie)
            }
            None => self.null.e_values(cell, of_cell, all).map(f32::sqrt),
        }
    }

    /// The share of a cell that is expected of a device.
    fn expected(&self, cell: usize, own: &Own) -> f64 {
        let part = || self.part(cell, own.counts());
        self.law.as_ref().map_or_else(
            || self.null.expected(cell).unwrap_or(0.0),
            |law| law.expected(cell, part()),
        )
    }

    fn confidence(&self) -> Confidence {
        self.law.as_ref().map_or(WRITTEN, |law| Confidence {
            basis: Basis::Calibrated,
            n: law.windows(),
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
    fn after(&self, plan: &MixPlan, hour: i32, counts: &Counts, tie: f64) -> Self {
        let mut next = *self;
        let moment = EventTime::from_micros(Span::HOUR.times(i64::from(hour)).micros());
        let staked = plan
            .stake
            .draw(&mut next.purse, plan.clock.local(moment).day);
        let cells = plan.null.cells();
        #[expect(clippy::cast_precision_loss, reason = "at most eight cells")]
        let part = staked / cells as f32;
        for (cell, bets) in next.cells.iter_mut().enumerate().take(cells) {
            let e = plan.e_values(cell, counts, &self.own, tie);
            step_all(bets, part, &e);
        }
        if plan.law.is_some() && self.evidence() < HOLD_FROM {
            next.own.learn(counts);
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
    fn take(&mut self, plan: &MixPlan, hour: i32, counts: &Counts, tie: f64) -> Standing {
        *self = self.after(plan, hour, counts, tie);
        let evidence = self.evidence();
        Standing::of(&mut self.arming, evidence)
    }

    /// Evidence of all cells, in device-days per false alarm.
    fn evidence(&self) -> f32 {
        self.cells.iter().copied().map(sum).sum()
    }

    /// The cell with the most evidence.
    fn leading(&self) -> usize {
        let mut cell = 0;
        for (at, bets) in self.cells.iter().enumerate() {
            if sum(*bets) > sum(self.cells[cell]) {
                cell = at;
            }
        }
        cell
    }
}

/// What a closed window comes to; one without connections says nothing.
pub(crate) fn close(
    plan: &MixPlan,
    state: &mut Mix,
    detector: &str,
    facts: &CloseFacts,
    counts: Counts,
) -> Signal<Inputs> {
    if total(&counts) == 0 {
        return Signal::Quiet;
    }
    let (before, hour) = (*state, facts.pane.hour);
    let tie = uniform_hash(facts.device.id.as_str(), detector, i64::from(hour));
    let standing = state.take(plan, hour, &counts, tie);
    let magnitude = f64::from(plan.count(state.leading(), &counts));
    standing.signal(state.evidence(), magnitude, || Inputs {
        hour,
        counts,
        tie,
        before,
    })
}

/// Puts a window into words.
pub(crate) fn assess(plan: &MixPlan, inputs: &Inputs, wording: &Wording) -> Evidence {
    let before = &inputs.before;
    let after = before.after(plan, inputs.hour, &inputs.counts, inputs.tie);
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
    let share = plan.expected(cell, &before.own);
    let whose = if plan.law.is_some() {
        " of this device"
    } else {
        ""
    };
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
        expected: match &plan.law {
            Some(_) => json!({ "share": share, "share_of_type": plan.null.expected(cell) }),
            None => json!({ "share": share, "share_max": plan.null.upper(cell) }),
        },
        sentence: format!(
            "{hours} {since} of its {all} connections ({} %) {} {name}, where {} % are expected{whose}.",
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
        confidence: plan.confidence(),
    }
}

/// Evidence of a cell.
fn sum(bets: [Bet; BETS]) -> f32 {
    bets.iter().map(|bet| bet.total()).sum()
}

/// Connections of all counters.
fn total(counts: &Counts) -> u32 {
    counts.iter().copied().map(u32::from).sum()
}

#[cfg(test)]
pub(crate) mod tests;
