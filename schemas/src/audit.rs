//! The audit trail: everything that was decided, by whom, chained so that nothing can be taken out
//! or changed unseen.

use serde::{Deserialize, Serialize};

use crate::act::{Ack, Act, ActRefused};
use crate::chain::{Link, Linked};
use crate::grade::text_scale;
use crate::order::Order;
use crate::time::EventTime;

/// Version of the wire form of an entry.
pub const AUDIT_SCHEMA: &str = "andon.audit.v1";

/// What an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuditEvent {
    /// An order stands somewhere else now.
    Order,
    /// A person did something.
    Act,
    /// A person asked for something that was not done.
    ActRefused,
    /// An enforcement point answered.
    Ack,
    /// An enforcement point answered something that was not taken.
    AckRefused,
}

text_scale!(AuditEvent {
    Order => "order", Act => "act", ActRefused => "act_refused", Ack => "ack",
    AckRefused => "ack_refused",
});

/// One entry of the audit trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AuditEntry {
    /// Always `andon.audit.v1`.
    pub schema: String,
    /// When, event time.
    pub at: EventTime,
    /// What it is about.
    pub event: AuditEvent,
    /// The person or enforcement point; null if the pipeline did it by itself.
    pub by: Option<String>,
    /// What happened, in plain words.
    pub detail: String,
    /// The order as it stands now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Box<Order>>,
    /// The act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Box<Act>>,
    /// The acknowledgement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ack: Option<Box<Ack>>,
    /// Which chain it stands in, where a trail is made of several: on Kafka every partition of the
    /// verdicts has one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<i32>,
    /// Its place in the chain.
    #[serde(flatten)]
    pub link: Link,
}

impl AuditEntry {
    /// An entry that stands in no chain yet.
    pub fn new(event: AuditEvent, at: EventTime, by: Option<&str>, detail: String) -> Self {
        Self {
            schema: AUDIT_SCHEMA.to_owned(),
            at,
            event,
            by: by.map(ToOwned::to_owned),
            detail,
            order: None,
            act: None,
            ack: None,
            chain: None,
            link: Link::default(),
        }
    }

    /// Somebody did something.
    pub fn acted(act: &Act, at: EventTime) -> Self {
        Self {
            act: Some(Box::new(act.clone())),
            ..Self::new(AuditEvent::Act, at, Some(&act.by), act.reason.clone())
        }
    }

    /// Somebody was not allowed to do something, or said it wrongly.
    pub fn refused(act: &Act, at: EventTime, refusal: &ActRefused) -> Self {
        let act = act.cut();
        let (event, why) = (AuditEvent::ActRefused, refusal.reason.clone());
        Self {
            act: Some(Box::new(act.clone())),
            ..Self::new(event, at, Some(&act.by), why)
        }
    }
}

impl Linked for AuditEntry {
    fn link(&self) -> &Link {
        &self.link
    }

    fn link_mut(&mut self) -> &mut Link {
        &mut self.link
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::Chain;

    fn chain() -> Vec<AuditEntry> {
        let mut chain = Chain::default();
        ["one", "two", "three"]
            .into_iter()
            .map(|words| {
                let at = EventTime::from_micros(7);
                let entry = AuditEntry::new(AuditEvent::Order, at, Some("ada"), words.to_owned());
                chain.append(entry)
            })
            .collect()
    }

    fn followed(entries: &[AuditEntry]) -> Result<(), String> {
        let mut chain = Chain::default();
        entries.iter().try_for_each(|entry| chain.follow(entry))
    }

    #[test]
    fn a_chain_that_nobody_touched_holds_after_a_trip_through_json() {
        let read: Vec<AuditEntry> = chain()
            .iter()
            .map(|entry| serde_json::from_str(&serde_json::to_string(entry).unwrap()).unwrap())
            .collect();
        assert_eq!(followed(&read), Ok(()));
        assert_eq!(followed(&[read[0].clone(), read[0].clone()]), Ok(()));
    }

    #[test]
    fn what_is_changed_or_taken_out_is_noticed() {
        let mut changed = chain();
        changed[1].detail = "Two".to_owned();
        assert!(followed(&changed).unwrap_err().contains("entry 2"));
        let mut missing = chain();
        missing.remove(1);
        assert!(followed(&missing).unwrap_err().contains("entry 3"));
        let mut rehashed = changed.clone();
        rehashed[1].link.hash = rehashed[1].digest();
        assert!(followed(&rehashed).unwrap_err().contains("entry 3"));
    }
}
