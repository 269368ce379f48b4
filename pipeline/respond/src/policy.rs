//! What the plant allows: asked for whenever an order is about to move, so that a change of the
//! inventory counts from the next moment on.

use andon_schemas::command::FlowMatch;
use andon_schemas::grade::Grade;
use andon_schemas::identity::DeviceId;
use andon_schemas::time::{EventTime, Span};

/// What keeps a device safe when it is cut.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shield {
    /// Safety flows at the device or carried by it: they stay open whatever is done.
    pub protected: Vec<FlowMatch>,
    /// Why only a person may cut it; `None` if nobody has to agree.
    pub person: Option<&'static str>,
}

/// How orders about the devices of a segment are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Most devices that are cut within a minute.
    pub cuts_per_minute: usize,
    /// How long an enforcement point is given to answer; `None` if nobody answers there.
    pub acknowledge_within: Option<Span>,
    /// How long a device is watched after its cut has lapsed.
    pub probation: Span,
}

/// What the plant allows.
pub trait Policy {
    /// The site.
    fn site(&self) -> &str;
    /// The segment of a device that the plant knows; `None` for any other.
    fn segment_of(&self, device: &DeviceId) -> Option<&str>;
    /// What keeps a device safe.
    fn shield(&self, device: &DeviceId) -> Shield;
    /// How orders about the devices of a segment are treated.
    fn rules(&self, segment: &str) -> Rules;
    /// Whether verdicts of a grade are answered by force there; `None` for what a person asks for.
    fn enforces(&self, segment: &str, grade: Option<Grade>) -> bool;
    /// Until when declared maintenance covers a device, if it does at this moment.
    fn maintenance_until(&self, device: &DeviceId, at: EventTime) -> Option<EventTime>;
    /// Whether this enforcement point answers for a segment.
    fn may_answer(&self, enforcer: &str, segment: &str) -> bool;
}
