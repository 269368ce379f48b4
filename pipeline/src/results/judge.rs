//! What people find incidents to be.

use andon_schemas::act::{Act, ActRefused, Acted, Refusal};
use andon_schemas::audit::{AuditEntry, AuditEvent};
use andon_schemas::incident::{Judged, Judgement};

use super::{Results, Taken};

impl Results {
    /// A person says what an incident was. Said again, it is the same.
    pub(super) fn judge(
        &mut self,
        act: &Act,
        incident_id: &str,
        judgement: Judgement,
        taken: &mut Taken,
    ) -> anyhow::Result<()> {
        let judged = Judged {
            judgement,
            by: act.by.clone(),
            at: act.at,
            note: act.reason.clone(),
        };
        let found = act
            .check()
            .map_err(|why| ActRefused::new(Refusal::Invalid, why))
            .and_then(|()| {
                let found = self.incidents.judge(incident_id, judged);
                let none = || format!("no incident `{incident_id}` is kept");
                found.ok_or_else(|| ActRefused::new(Refusal::NotFound, none()))
            })
            .map(|(incident, is_news)| (incident.clone(), is_news));
        let (event, detail) = match &found {
            Ok((_, false)) => (None, String::new()),
            Ok((_, true)) => (Some(AuditEvent::Act), act.reason.clone()),
            Err(refused) => (Some(AuditEvent::ActRefused), refused.reason.clone()),
        };
        if let Some(event) = event {
            let mut entry = AuditEntry::new(event, act.at, Some(&act.by), detail);
            entry.act = Some(Box::new(act.clone()));
            self.audit(entry)?;
        }
        if let Ok((incident, true)) = &found {
            self.incident(incident.clone())?;
        }
        let acted = found.map(|(incident, _)| Acted::Incident(Box::new(incident)));
        taken.acted.push(acted);
        Ok(())
    }
}
