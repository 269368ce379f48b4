//! What stands between the rows of an input and concerns no device's behaviour: time, changes of
//! the plant, what people do and what enforcement points answer. The engine takes none of it but
//! time and the plant; what follows from verdicts takes all of it, each where it stands, so that a
//! recorded input comes to the same whatever pieces it is read in.

use std::sync::Arc;

use andon_engine::{Input, Plant};
use andon_schemas::act::{Ack, Act};
use andon_schemas::observation::Source;
use andon_schemas::reject::{Reject, RejectReason};
use andon_schemas::time::EventTime;
use serde::{Deserialize, Serialize};

use crate::blueprint::Blueprint;

/// One such thing.
#[derive(Clone, Debug)]
pub enum Aside {
    /// Time is at least this.
    Time(EventTime),
    /// Inventory or profiles change from here on.
    Plant(Box<Blueprint>, Arc<Plant>),
    /// A person does something.
    Act(Box<Act>),
    /// An enforcement point answers.
    Ack(Box<Answer>),
}

/// What an enforcement point answered, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The answer.
    pub ack: Ack,
    /// Where it came from.
    pub source: Source,
    /// When it was received.
    pub received_at: EventTime,
}

impl Answer {
    /// What becomes of an answer that is not believed.
    pub fn reject(self, why: String) -> Reject {
        Reject {
            reason: RejectReason::RefusedAck,
            detail: why,
            source: self.source,
            device: Some(self.ack.enforcer),
            received_at: self.received_at,
            excerpt: String::new(),
        }
    }
}

/// Asides in order, each with its place: the rows and ticks with numbers below it go before.
pub type Asides = Vec<(u64, Aside)>;

/// The times that an input tells, in order.
pub fn times(inputs: &[Input]) -> Asides {
    let mut asides = Asides::new();
    for input in inputs {
        // What a tick itself brings about goes before it.
        let told = input.clocks();
        asides.extend(told.map(|(ordinal, at)| (ordinal + 1, Aside::Time(at))));
    }
    asides
}

/// Both in order; times before what else stands in the same place.
pub fn in_order(mut times: Asides, others: Asides) -> Asides {
    times.extend(others);
    times.sort_by_key(|(place, _)| *place);
    times
}
