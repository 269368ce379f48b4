//! What people find incidents to be.

use andon_schemas::act::{Act, ActKind, ActRefused, Acted, Refusal};
use andon_schemas::audit::{AuditEntry, AuditEvent};
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
    let found = found(orders, incidents, act, incident_id, judged);
    let news = match &found {
        Ok((_, false)) => None,
        Ok((_, true)) => Some((AuditEvent::Act, act.reason.clone())),
        Err(refused) => Some((AuditEvent::ActRefused, refused.reason.clone())),
    };
    let audit = news.map(|(event, detail)| {
        let mut entry = AuditEntry::new(event, act.at, Some(&act.by), detail);
        entry.act = Some(Box::new(act.clone()));
        entry
    });
    let changed = found.as_ref().ok().filter(|(_, is_new)| *is_new);
    let incident = changed.map(|(incident, _)| incident.clone());
    if incident.is_some() {
        orders.remember(act);
    }
    Some(Judging {
        acted: found.map(|(incident, _)| Acted::Incident(Box::new(incident))),
        incident,
        audit,
    })
}

/// The incident as it reads then, and whether that is new.
fn found(
    orders: &Orders,
    incidents: &mut Incidents,
    act: &Act,
    incident_id: &str,
    judged: Judged,
) -> Result<(Incident, bool), ActRefused> {
    act.check()
        .map_err(|why| ActRefused::new(Refusal::Invalid, why))?;
    let none = || {
        let why = format!("no incident `{incident_id}` is kept");
        ActRefused::new(Refusal::NotFound, why)
    };
    if orders.remembers(act)? {
        let known = incidents.get(incident_id).cloned();
        return known.map(|incident| (incident, false)).ok_or_else(none);
    }
    incidents.judge(incident_id, judged).ok_or_else(none)
}
