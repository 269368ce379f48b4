//! From verdicts to commands: issued when the response changes, renewed before it lapses, lifted
//! when the episode is over or the rung is lower.

use std::collections::BTreeMap;

use andon_schemas::command::{Action, Approval, COMMAND_SCHEMA, Command, Response};
use andon_schemas::identity::DeviceId;
use andon_schemas::time::EventTime;
use andon_schemas::verdict::{State, Verdict};
use serde::{Deserialize, Serialize};

use crate::digest;

/// The commands that stand, by device. A device has at most one open verdict, so this is bounded
/// by the number of devices; of a verdict that is over only its id and numbering are kept, until
/// the device's next one, because a late finding may open it again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commands {
    devices: BTreeMap<DeviceId, Standing>,
}

/// What stands about one device; kept whole by whoever keeps the commands piece by piece.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    verdict_id: String,
    revision: u32,
    /// Commands issued for this verdict.
    step: u32,
    in_force: Option<Issued>,
    /// What waits for a person. It does not replace what is in force.
    proposed: Option<Issued>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Issued {
    at: EventTime,
    response: Response,
}

impl Issued {
    /// Half of its time is gone.
    fn wants_renewal(&self, at: EventTime) -> bool {
        self.response
            .expires
            .is_some_and(|expires| expires.since(at) <= at.since(self.at))
    }
}

/// What should become of one command.
#[derive(Clone, Copy)]
enum Wish<'a> {
    Keep,
    Lift,
    Give(&'a Response),
}

impl Commands {
    /// Nothing stands.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next revision of a verdict; returns the commands that follow from it, in the
    /// order in which they are to be obeyed. A revision that was taken before yields nothing.
    ///
    /// `log` is no command. A release lifts the command of the same action; what is replaced by
    /// another action is lifted once that is given. A verdict that takes the place of another one
    /// of the same device lifts what that one left behind.
    pub fn take(&mut self, verdict: &Verdict) -> Vec<Command> {
        let mut out = Vec::new();
        let standing = self
            .devices
            .entry(verdict.device_id.clone())
            .or_insert_with(|| Standing::new(&verdict.verdict_id));
        if standing.verdict_id != verdict.verdict_id {
            standing.settle(verdict, Wish::Lift, Wish::Lift, &mut out);
            *standing = Standing::new(&verdict.verdict_id);
        }
        if verdict.revision <= standing.revision {
            return out;
        }
        standing.revision = verdict.revision;
        let response = &verdict.response;
        if verdict.state == State::Cleared || response.action == Action::Log {
            standing.settle(verdict, Wish::Lift, Wish::Lift, &mut out);
        } else if response.approval == Approval::Automatic {
            standing.settle(verdict, Wish::Lift, Wish::Give(response), &mut out);
        } else {
            let in_force = standing
                .in_force
                .as_ref()
                .map(|issued| issued.response.action);
            match in_force {
                // Nobody has to agree to what is in force already.
                Some(action) if action == response.action => {
                    standing.settle(verdict, Wish::Lift, Wish::Keep, &mut out);
                }
                Some(action) if action < response.action => {
                    standing.settle(verdict, Wish::Give(response), Wish::Keep, &mut out);
                }
                _ => standing.settle(verdict, Wish::Give(response), Wish::Lift, &mut out),
            }
        }
        out
    }

    /// What stands about a device; `None` if nothing was ever said of it.
    pub fn of(&self, device: &DeviceId) -> Option<&Standing> {
        self.devices.get(device)
    }

    /// Goes on with what stood about a device.
    pub fn resume(&mut self, device: DeviceId, standing: Standing) {
        self.devices.insert(device, standing);
    }

    /// Number of devices about which a command stands.
    pub fn standing(&self) -> usize {
        let stands = |s: &&Standing| s.in_force.is_some() || s.proposed.is_some();
        self.devices.values().filter(stands).count()
    }
}

impl Standing {
    fn new(verdict_id: &str) -> Self {
        Self {
            verdict_id: verdict_id.to_owned(),
            revision: 0,
            step: 0,
            in_force: None,
            proposed: None,
        }
    }

    /// Brings what is proposed and what is in force to what they should be.
    fn settle(
        &mut self,
        verdict: &Verdict,
        proposed: Wish,
        in_force: Wish,
        out: &mut Vec<Command>,
    ) {
        let mut slot = self.proposed.take();
        self.bring(&mut slot, proposed, verdict, out);
        self.proposed = slot;
        let mut slot = self.in_force.take();
        self.bring(&mut slot, in_force, verdict, out);
        self.in_force = slot;
    }

    fn bring(
        &mut self,
        slot: &mut Option<Issued>,
        wish: Wish,
        verdict: &Verdict,
        out: &mut Vec<Command>,
    ) {
        let at = verdict.window.end;
        let wanted = match wish {
            Wish::Keep => return,
            Wish::Lift => None,
            Wish::Give(response) => Some(response),
        };
        if let (Some(stands), Some(wanted)) = (&*slot, wanted)
            && same(&stands.response, wanted)
            && !stands.wants_renewal(at)
        {
            return;
        }
        // A command of the same action replaces the one that stands, unless one of the two only
        // says what would be done. Another action is given before the one that stands is lifted,
        // so that a device is never left alone in between.
        let before = slot.take().map(|issued| issued.response);
        let both = before.as_ref().zip(wanted);
        let another = both.is_some_and(|(before, wanted)| before.action != wanted.action);
        let replaces = !another && both.is_some_and(|(before, wanted)| before.mode == wanted.mode);
        let lifted = before.filter(|_| !replaces);
        if another {
            out.extend(wanted.map(|response| self.command(verdict, false, response.clone())));
        }
        out.extend(lifted.map(|response| {
            self.command(
                verdict,
                true,
                Response {
                    expires: Some(at),
                    ..response
                },
            )
        }));
        if !another {
            out.extend(wanted.map(|response| self.command(verdict, false, response.clone())));
        }
        *slot = wanted.map(|response| Issued {
            at,
            response: response.clone(),
        });
    }

    fn command(&mut self, verdict: &Verdict, release: bool, response: Response) -> Command {
        self.step += 1;
        let step = self.step.to_string();
        Command {
            schema: COMMAND_SCHEMA.to_owned(),
            command_id: digest(&[&self.verdict_id, response.action.as_str(), &step], 16),
            verdict_id: self.verdict_id.clone(),
            device_id: verdict.device_id.clone(),
            site: verdict.site.clone(),
            step: self.step,
            issued: verdict.window.end,
            release,
            reason: verdict.sentence.clone(),
            response,
        }
    }
}

/// Whether two responses ask enforcement points for the same, whenever they lapse.
fn same(one: &Response, other: &Response) -> bool {
    one.action == other.action
        && one.mode == other.mode
        && one.scope == other.scope
        && one.exceptions == other.exceptions
        && one.approval == other.approval
}
