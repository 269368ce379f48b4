//! What people find incidents to be.

use andon_schemas::act::{Act, ActRefused, Acted, Refusal};
use andon_schemas::audit::{AuditEntry, AuditEvent};
use andon_schemas::incident::{Incident, Judged, Judgement};

use super::{Results, Taken};

impl Results {
    /// A person says what an incident was. An act that comes again does nothing.
    pub(super) fn judge(
        &mut self,
        act: &Act,
        incident_id: &str,
        judgement: Judgement,
        taken: &mut Taken,
    ) -> anyhow::Result<()> {
        let found = self.judged(act, incident_id, judgement);
        let news = match &found {
            Ok((_, false)) => None,
            Ok((_, true)) => Some((AuditEvent::Act, act.reason.clone())),
            Err(refused) => Some((AuditEvent::ActRefused, refused.reason.clone())),
        };
        if let Some((event, detail)) = news {
            let mut entry = AuditEntry::new(event, act.at, Some(&act.by), detail);
            entry.act = Some(Box::new(act.clone()));
            self.audit(entry)?;
        }
        if let Ok((incident, true)) = &found {
            self.orders.remember(act);
            self.incident(incident.clone())?;
        }
        let acted = found.map(|(incident, _)| Acted::Incident(Box::new(incident)));
        taken.acted.push(acted);
        Ok(())
    }

    /// The incident as it reads then, and whether that is new.
    fn judged(
        &mut self,
        act: &Act,
        incident_id: &str,
        judgement: Judgement,
    ) -> Result<(Incident, bool), ActRefused> {
        act.check()
            .map_err(|why| ActRefused::new(Refusal::Invalid, why))?;
        let none = || {
            let why = format!("no incident `{incident_id}` is kept");
            ActRefused::new(Refusal::NotFound, why)
        };
        if self.orders.remembers(act)? {
            let known = self.incidents.get(incident_id).cloned();
            return known.map(|incident| (incident, false)).ok_or_else(none);
        }
        let judged = Judged {
            judgement,
            by: act.by.clone(),
            at: act.at,
            note: act.reason.clone(),
        };
        self.incidents.judge(incident_id, judged).ok_or_else(none)
    }
}
