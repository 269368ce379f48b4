//! What people find incidents to be.

use andon_schemas::act::{Act, ActKind, ActRefused, Acted, Refusal};
use andon_schemas::audit::AuditEntry;
use andon_schemas::incident::{Incident, Judged};

use crate::{Incidents, Orders};

/// What came of a judgement.
#[derive(Clone, Debug)]
pub struct Judging {
    /// What whoever asked is told.
    pub acted: Result<Acted, ActRefused>,
    /// The incident, if it reads differently now.
    pub incident: Option<Incident>,
    /// What belongs in the audit trail.
    pub audit: Option<AuditEntry>,
}

/// A person says what an incident was. An act that comes again does nothing. `None` if the act is
/// about no incident.
pub fn judge(orders: &mut Orders, incidents: &mut Incidents, act: &Act) -> Option<Judging> {
    let ActKind::Judge {
        incident_id,
        judgement,
    } = &act.kind
    else {
        return None;
    };
    let judged = Judged {
        judgement: *judgement,
        by: act.by.clone(),
        at: act.at,
        note: act.reason.clone(),
    };
    let (found, is_new) = found(orders, incidents, act, incident_id, judged);
    let audit = is_new.then(|| match &found {
        Ok(_) => AuditEntry::acted(act, act.at),
        Err(refusal) => AuditEntry::refused(act, act.at, refusal),
    });
    let refusal = found.as_ref().err();
    // One that is no act, or another one by the same key, can still be said rightly.
    if is_new && refusal.is_none_or(|refusal| refusal.kind == Refusal::NotFound) {
        orders.remember(act, refusal);
    }
    let incident = found.as_ref().ok().filter(|_| is_new);
    Some(Judging {
        incident: incident.cloned(),
        acted: found.map(|incident| Acted::Incident(Box::new(incident))),
        audit,
    })
}

/// The incident as it reads then, or why not, and whether that is new.
fn found(
    orders: &Orders,
    incidents: &mut Incidents,
    act: &Act,
    incident_id: &str,
    judged: Judged,
) -> (Result<Incident, ActRefused>, bool) {
    if let Err(why) = act.check() {
        return (Err(ActRefused::new(Refusal::Invalid, why)), true);
    }
    let none = || {
        let why = format!("no incident `{incident_id}` is kept");
        ActRefused::new(Refusal::NotFound, why)
    };
    match orders.remembers(act) {
        Err(refusal) => (Err(refusal), true),
        Ok(Some(Err(refusal))) => (Err(refusal), false),
        Ok(Some(Ok(()))) => (incidents.get(incident_id).cloned().ok_or_else(none), false),
        Ok(None) => match incidents.judge(incident_id, judged) {
            Some((incident, is_new)) => (Ok(incident), is_new),
            None => (Err(none()), true),
        },
    }
}
