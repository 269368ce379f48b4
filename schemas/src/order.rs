//! An order: a command and where it stands, from the proposal to the end.
//!
//! ```text
//! proposed ─▶ approved ─┬──────────▶ issued ─▶ acknowledged ─┬▶ expired
//!    │                  └▶ waiting ─▶   │ └──▶ failed ────────┤
//!    └▶ rejected                        └────▶ timed_out ─────┴▶ released
//! ```

use serde::{Deserialize, Serialize};

use crate::command::Command;
use crate::grade::text_scale;
use crate::time::EventTime;

/// Where an order stands.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// It waits for a person.
    Proposed,
    /// A person agreed, or nobody has to; nothing has been sent yet.
    Approved,
    /// It waits for maintenance to end, or for its turn under the cap of its segment.
    Waiting,
    /// Enforcement points have been told; in monitor mode it is only said.
    Issued,
    /// An enforcement point did it.
    Acknowledged,
    /// An enforcement point could not do it.
    Failed,
    /// No enforcement point answered in time.
    TimedOut,
    /// Its time is over.
    Expired,
    /// It was lifted.
    Released,
    /// A person decided against it.
    Rejected,
}

text_scale!(OrderState {
    Proposed => "proposed", Approved => "approved", Waiting => "waiting", Issued => "issued",
    Acknowledged => "acknowledged", Failed => "failed", TimedOut => "timed_out",
    Expired => "expired", Released => "released", Rejected => "rejected",
});

impl OrderState {
    /// Whether enforcement points have been told and the order has not ended.
    pub const fn is_in_force(self) -> bool {
        matches!(
            self,
            Self::Issued | Self::Acknowledged | Self::Failed | Self::TimedOut
        )
    }

    /// Whether nothing comes after it.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Expired | Self::Released | Self::Rejected)
    }
}

/// A command and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Order {
    /// The command; once issued, as it was sent.
    pub command: Command,
    /// Where it stands.
    pub state: OrderState,
    /// Since when it stands there, event time.
    pub updated: EventTime,
    /// The person or the enforcement point that brought it there; null if nobody did.
    pub by: Option<String>,
    /// Why it stands there, in plain words; empty if there is nothing to say.
    pub note: String,
}

/// One step of an order's life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OrderStep {
    /// When, event time.
    pub at: EventTime,
    /// Where it stood from then on.
    pub state: OrderState,
    /// The person or the enforcement point that brought it there; null if nobody did.
    pub by: Option<String>,
    /// Why.
    pub reason: String,
}

/// An order with its life so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OrderHistory {
    /// The order.
    #[serde(flatten)]
    pub order: Order,
    /// Its life, oldest step first; of a very long one the first stays, and the oldest after it
    /// are let go of.
    pub history: Vec<OrderStep>,
}

/// Which orders are asked for.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum OrderScope {
    /// Those that wait for a person.
    Proposed,
    /// Those that enforcement points have been told and that are not over.
    Issued,
    /// Those that are not over.
    #[default]
    Open,
    /// Those that are over as well, as long as they are kept.
    All,
}

text_scale!(OrderScope {
    Proposed => "proposed", Issued => "issued", Open => "open", All => "all",
});

impl OrderScope {
    /// Whether an order in this state is among them.
    pub const fn holds(self, state: OrderState) -> bool {
        match self {
            Self::Proposed => matches!(state, OrderState::Proposed),
            Self::Issued => state.is_in_force(),
            Self::Open => !state.is_over(),
            Self::All => true,
        }
    }
}
