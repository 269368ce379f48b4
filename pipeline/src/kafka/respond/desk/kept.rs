//! What is kept of a desk in the topic of the state, and going on with it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use andon_emit::kafka::Outgoing;
use andon_respond::{Dossier, Incidents, Orders};
use andon_schemas::chain::Chain;
use andon_schemas::identity::DeviceId;
use andon_schemas::time::{EventTime, Span};
use anyhow::bail;
use serde::{Deserialize, Serialize};

use super::super::hearing::Heard;
use super::Desk;
use crate::kafka::names::Names;
use crate::kafka::recall::{Recalled, Values};
use crate::sealed::{open, seal};
use crate::wall;

const STANDING: [u8; 8] = *b"ANDONCM2";
const END: [u8; 8] = *b"ANDONCE4";
const ACTS: [u8; 8] = *b"ANDONCA1";
const ROOT: [u8; 8] = *b"ANDONCR1";
const INCIDENT: [u8; 8] = *b"ANDONCI1";
/// What the keys of this stage begin with, in the topic of the state; a device follows.
pub(in crate::kafka::respond) const KEYS: &[u8] = b"respond/";
/// What no device is called: the acts that were done, and what the keys of incidents begin with.
const DONE: &str = "#acts";
const INCIDENTS: &str = "#incident/";
const ROOTS: &str = "#evidence/";
/// An incident of a whole plant knows its verdicts and devices by name, and may be longer than a
/// record: it is kept in pieces of so many bytes.
const PIECE_BYTES: usize = 256 << 10;
/// Where a desk had come to when it was last kept.
#[derive(Debug, Default, Serialize, Deserialize)]
struct End {
    /// The offset of the next verdict.
    next: i64,
    now: EventTime,
    /// The wall clock when that was kept: while nobody holds the desk, time goes on by it.
    kept: EventTime,
    heard: Heard,
    /// The end of its audit trail.
    chain: Chain,
}

/// Where it had come to, as the state tells.
fn end(values: &Values) -> anyhow::Result<Option<End>> {
    let bytes = values.get(KEYS);
    bytes.map(|bytes| open(END, bytes)).transpose()
}

/// The offset of the next verdict, as the state tells.
pub(in crate::kafka::respond) fn next(values: &Values) -> anyhow::Result<Option<i64>> {
    Ok(end(values)?.map(|end| end.next))
}

impl Desk {
    /// Goes on with what stood when the verdicts before the committed offset had been answered.
    ///
    /// # Errors
    /// If what is kept is damaged, of another version, or not as new as the offset.
    pub(in crate::kafka::respond) fn of(
        partition: i32,
        recalled: &Recalled,
    ) -> anyhow::Result<Self> {
        let kept = &recalled.values;
        let end = end(kept)?;
        let told = end.as_ref().map(|end| end.next);
        let now = end.as_ref().map(|end| end.now);
        if told != recalled.committed {
            bail!(
                "they stand at offset {told:?} and {:?} is committed",
                recalled.committed
            );
        }
        let next = recalled.committed.unwrap_or(recalled.low);
        if next < recalled.low {
            // Of a partition that was quiet for long, that may be the marker of a transaction.
            tracing::warn!(
                "the verdicts from offset {next} to {} were deleted by the topic's retention; if \
                 any of them was not answered, it never will be",
                recalled.low
            );
        }
        // Before it has come to any time there is none to go on from.
        let known = now.filter(|now| *now > EventTime::default());
        let passed = end.as_ref().map(|end| wall::now().since(end.kept));
        let passed = passed.map_or(0, Span::micros).max(0);
        let passed = Duration::from_micros(passed.unsigned_abs());
        let came = Instant::now();
        let came = came.checked_sub(passed).unwrap_or(came);
        let End { heard, chain, .. } = end.unwrap_or_default();
        let mut desk = Self {
            partition,
            // A desk that begins keeps at once how far it has heard.
            touched: recalled.committed.is_none(),
            heard,
            chain,
            next: next.max(recalled.low),
            note: recalled.note.clone(),
            orders: Orders::at(now.unwrap_or_default()),
            incidents: Incidents::piecewise(),
            told: known.map(|now| (now, came)),
            ..Self::default()
        };
        let mut incidents: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for (key, value) in kept {
            match key.strip_prefix(KEYS).map(String::from_utf8_lossy) {
                Some(name) if name == DONE => desk.orders.remember_done(open(ACTS, value)?),
                Some(name) if name.starts_with(INCIDENTS) => {
                    // Its pieces come in order.
                    let id = name[INCIDENTS.len()..]
                        .split('/')
                        .next()
                        .unwrap_or_default();
                    let pieces = incidents.entry(id.to_owned()).or_default();
                    pieces.extend_from_slice(value);
                    *desk.pieces.entry(id.to_owned()).or_default() += 1;
                }
                Some(name) if name.starts_with(ROOTS) => {
                    desk.roots.resume(&name[ROOTS.len()..], open(ROOT, value)?);
                }
                Some(name) if !name.is_empty() => {
                    let (device, dossier): (DeviceId, Dossier) = open(STANDING, value)?;
                    desk.orders.resume(&device, dossier);
                }
                _ => {}
            }
        }
        for bytes in incidents.values() {
            // JSON, as an incident is told.
            let held: String = open(INCIDENT, bytes)?;
            desk.incidents.resume(serde_json::from_str(&held)?);
        }
        desk.incidents.take_touched();
        Ok(desk)
    }

    /// What is kept of an incident from now on, in pieces; nothing of those that are left over.
    fn incident_pieces(&mut self, id: &str) -> anyhow::Result<Vec<(String, Option<Vec<u8>>)>> {
        let held = self.incidents.kept(id).map(serde_json::to_string);
        let bytes = match held.transpose()? {
            Some(held) => seal(INCIDENT, &held)?,
            None => Vec::new(),
        };
        let pieces: Vec<&[u8]> = bytes.chunks(PIECE_BYTES).collect();
        let before = match pieces.len() {
            0 => self.pieces.remove(id),
            many => self.pieces.insert(id.to_owned(), many),
        };
        let most = pieces.len().max(before.unwrap_or(0));
        let name = |at: usize| format!("{INCIDENTS}{id}/{at:04}");
        let piece = |at: usize| pieces.get(at).map(|piece| piece.to_vec());
        Ok((0..most).map(|at| (name(at), piece(at))).collect())
    }

    /// Keeps where it has come to, and what stands about the devices of which something else stands
    /// now.
    pub(super) fn keep(&mut self, names: &Names, partition: i32) -> anyhow::Result<()> {
        let record = |name: &str, payload| Outgoing {
            topic: names.state.clone(),
            partition: Some(partition),
            key: [KEYS, name.as_bytes()].concat(),
            payload,
            headers: Vec::new(),
        };
        for device in self.orders.take_changed() {
            if let Some(dossier) = self.orders.of(&device) {
                let kept = seal(STANDING, &(&device, dossier))?;
                self.records.push(record(device.as_str(), Some(kept)));
            }
        }
        if std::mem::take(&mut self.acted) {
            let kept = seal(ACTS, self.orders.done())?;
            self.records.push(record(DONE, Some(kept)));
        }
        for id in self.incidents.take_touched() {
            if self.incidents.get(&id).is_none() {
                self.roots.forget(&id);
            }
            for (name, piece) in self.incident_pieces(&id)? {
                self.records.push(record(&name, piece));
            }
        }
        for (id, root) in self.roots.take_changed() {
            let kept = root.map(|root| seal(ROOT, &root)).transpose()?;
            self.records.push(record(&format!("{ROOTS}{id}"), kept));
        }
        self.unkept = 0;
        let end = End {
            next: self.next,
            now: self.orders.now(),
            kept: wall::now(),
            heard: self.heard.clone(),
            chain: self.chain.clone(),
        };
        self.records.push(record("", Some(seal(END, &end)?)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use andon_schemas::act::{Act, ActKind};
    use andon_schemas::audit::{AuditEntry, AuditEvent};
    use andon_schemas::command::Mode;
    use andon_schemas::verdict::Verdict;

    use super::super::super::hearing::Kind;
    use super::super::Rules;
    use super::*;
    use crate::args::PlantArgs;
    use crate::blueprint::Blueprint;
    use crate::policy::PlantPolicy;

    fn silent(number: usize, revision: u32, state: &str) -> Verdict {
        let at = "2025-12-12T09:00:00Z";
        serde_json::from_value(serde_json::json!({
            "schema": "andon.verdict.v1", "verdict_id": format!("{number:032}"),
            "revision": revision, "state": state, "device_id": format!("sensor-{number}"),
            "device_type": "", "segment": "hall", "risk_class": null, "site": "s",
            "event_time": at, "window": { "start": at, "end": at },
            "grade": "MEDIUM", "confidence": { "basis": "policy", "n": 0 },
            "risk": { "score": 0, "trust": 100, "band": "low" }, "sentence": "", "findings": [{
                "detector": "silence", "grade": "MEDIUM", "proven": true, "rule": false,
                "plane": "network", "score": 30, "p_value": null, "observed": {}, "expected": {},
                "sentence": "", "clears": "", "techniques": [],
                "confidence": { "basis": "policy", "n": 0 },
                "window": { "start": at, "end": at }, "role": null, "count": 1, "active": true,
                "inputs": {}, "profile": null, "source": [],
            }],
            "response": {
                "action": "watch", "mode": "monitor", "scope": [], "exceptions": [],
                "expires": null, "approval": "automatic", "note": "", "notify": [],
            },
            "profile": { "name": "", "version": "", "hash": "" },
        }))
        .unwrap()
    }

    /// Keeps a desk, and goes on with what was kept.
    fn again(desk: &mut Desk, values: &mut Values, names: &Names) -> Desk {
        desk.incidents.settle();
        desk.keep(names, 3).unwrap();
        for record in desk.records.drain(..) {
            let bytes = record.payload.as_ref().map_or(0, Vec::len);
            assert!(bytes < 1_000_000, "a record of {bytes} bytes is refused");
            if record.topic == names.state {
                match record.payload {
                    Some(payload) => values.insert(record.key, payload),
                    None => values.remove(&record.key),
                };
            }
        }
        let recalled = Recalled {
            committed: Some(desk.next),
            values: values.clone(),
            ..Recalled::default()
        };
        Desk::of(3, &recalled).unwrap()
    }

    #[test]
    fn an_incident_of_a_whole_plant_is_kept_in_pieces_and_all_else_with_it() {
        let names = Names::of("andon");
        let mut values = Values::new();
        let mut desk = Desk {
            partition: 3,
            next: 17,
            incidents: Incidents::piecewise(),
            ..Desk::default()
        };
        let entry = AuditEntry::new(AuditEvent::Act, EventTime::default(), None, String::new());
        desk.audit([entry], &names).unwrap();
        assert!(desk.hears((Kind::Ack, 1), 41) && !desk.hears((Kind::Ack, 1), 41));
        for number in 0..12_000 {
            desk.incidents.take(&silent(number, 1, "raised"));
        }
        let mut restored = again(&mut desk, &mut values, &names);
        assert!(
            desk.pieces.values().all(|pieces| *pieces > 1),
            "{:?}",
            desk.pieces
        );
        assert!(!restored.hears((Kind::Ack, 1), 41) && restored.hears((Kind::Ack, 1), 42));
        assert_eq!((&restored.chain, restored.chain.number), (&desk.chain, 1));
        assert_eq!((restored.next, &restored.pieces), (17, &desk.pieces));
        assert!(restored.incidents == desk.incidents);

        for number in 1..12_000 {
            desk.incidents.take(&silent(number, 2, "cleared"));
        }
        let before: usize = desk.pieces.values().sum();
        let restored = again(&mut desk, &mut values, &names);
        assert!(
            desk.pieces.values().sum::<usize>() < before,
            "less is left of it"
        );
        assert_eq!(restored.pieces, desk.pieces);
    }

    #[test]
    fn an_act_of_the_future_moves_nobody_s_time() {
        let names = Names::of("andon");
        let blueprint = Blueprint::read(&PlantArgs::default(), Mode::Monitor).unwrap();
        let policy = PlantPolicy::new(blueprint.compile().unwrap(), true);
        let rules = Rules {
            names: &names,
            policy: &policy,
        };
        let mut desk = Desk {
            orders: Orders::at(EventTime::from_micros(7)),
            ..Desk::default()
        };
        let device = DeviceId::new("cnc-controller-01-0001").unwrap();
        let mut act = Act::new("a", "ada", "a test", ActKind::Suppress { device, hours: 1 });
        act.at = EventTime::MAX;
        desk.act(act, Some("its time is in the future"), rules)
            .unwrap();
        assert_eq!(desk.orders.now(), EventTime::from_micros(7));
        let told = desk.records[0].payload.as_deref().unwrap();
        let entry: AuditEntry = serde_json::from_slice(told).unwrap();
        assert_eq!(
            (entry.event, entry.at),
            (AuditEvent::ActRefused, desk.orders.now())
        );
    }
}
