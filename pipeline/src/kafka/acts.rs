//! Where people's acts are handed in on Kafka: into `andon.acts.v1`, which every process of the group
//! reads. The desk that has the device's segment does it, and says there what came of it.

use std::collections::BTreeMap;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use andon_console::Board;
use andon_emit::kafka::{Outgoing, Stream};
use andon_schemas::act::{Act, ActKind, ActRefused, Acted, Desk, Refusal};
use andon_schemas::identity::DeviceId;
use serde::{Deserialize, Serialize};

use super::names::Names;
use super::settings::Settings;

/// So many acts wait for what comes of them at most.
const WAITING_MAX: usize = 64;
/// How long the cluster is given to take an act.
const TAKEN_WITHIN: Duration = Duration::from_secs(5);
/// So long is waited for what comes of it.
const PATIENCE: Duration = Duration::from_secs(10);

type Came = Result<Acted, ActRefused>;

/// A record of the topic.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Slip {
    /// Somebody does something about a device.
    Act {
        /// What.
        act: Act,
        /// The device; the desk of its segment is to do it.
        device: DeviceId,
    },
    /// What came of an act.
    Came {
        /// The act.
        act_id: String,
        /// What came of it.
        came: Came,
    },
}

impl Slip {
    /// As it is sent.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub(super) fn outgoing(&self, topic: &Arc<str>) -> anyhow::Result<Outgoing> {
        let (Self::Act {
            act: Act { act_id, .. },
            ..
        }
        | Self::Came { act_id, .. }) = self;
        Ok(Outgoing {
            topic: topic.clone(),
            partition: Some(0),
            key: act_id.clone().into_bytes(),
            payload: Some(serde_json::to_vec(self)?),
            headers: Vec::new(),
        })
    }
}

/// Those who wait for what comes of their acts.
#[derive(Clone, Debug, Default)]
pub struct Waiting(Arc<Mutex<BTreeMap<String, Vec<SyncSender<Came>>>>>);

impl Waiting {
    /// Tells whoever waits for an act what came of it.
    pub(super) fn tell(&self, act_id: &str, came: &Came) {
        for told in self.all().remove(act_id).into_iter().flatten() {
            // Nobody waits any more.
            drop(told.try_send(came.clone()));
        }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Vec<SyncSender<Came>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget(&self, act_id: &str) {
        self.all().remove(act_id);
    }
}

/// Where acts are handed in.
#[derive(Debug)]
pub struct Acts {
    stream: Stream,
    topic: Arc<str>,
    board: Board,
    waiting: Waiting,
}

impl Acts {
    /// The way in, and those who wait for what comes of it.
    ///
    /// # Errors
    /// If the settings cannot work.
    pub fn open(
        settings: &Settings,
        names: &Names,
        board: Board,
    ) -> anyhow::Result<(Self, Waiting)> {
        let waiting = Waiting::default();
        let acts = Self {
            stream: Stream::new(&settings.client("acts"))?,
            topic: names.acts.clone(),
            board,
            waiting: waiting.clone(),
        };
        Ok((acts, waiting))
    }

    /// The device that an act is about.
    fn device(&self, kind: &ActKind) -> Result<DeviceId, ActRefused> {
        let refused = |kind, why: String| ActRefused::new(kind, why);
        match kind {
            ActKind::Approve { command_id }
            | ActKind::Reject { command_id }
            | ActKind::Release { command_id } => {
                let device = self.board.device_of_command(command_id);
                let why = || format!("there is no order `{command_id}`");
                device.ok_or_else(|| refused(Refusal::NotFound, why()))
            }
            ActKind::ReleaseDevice { device }
            | ActKind::Quarantine { device, .. }
            | ActKind::Suppress { device, .. } => Ok(device.clone()),
            ActKind::Judge { incident_id, .. } => {
                // The desk that keeps it has its first device.
                let device = self.board.device_of_incident(incident_id);
                let why = || format!("no incident `{incident_id}` is kept");
                device.ok_or_else(|| refused(Refusal::NotFound, why()))
            }
        }
    }

    fn send(&self, slip: &Slip) -> Result<(), ActRefused> {
        let busy = |why: String| ActRefused::new(Refusal::Busy, why);
        let record = slip
            .outgoing(&self.topic)
            .map_err(|error| busy(format!("{error:#}")))?;
        let sent = self.stream.send(&record);
        sent.map_err(|error| busy(format!("Kafka does not take it: {error}")))?;
        let taken = self.stream.flush(TAKEN_WITHIN);
        taken.map_err(|error| busy(format!("Kafka has not taken it yet: {error}")))
    }
}

impl Desk for Acts {
    fn act(&self, mut act: Act) -> Result<Acted, ActRefused> {
        let busy = |why: &str| ActRefused::new(Refusal::Busy, why);
        act.check()
            .map_err(|why| ActRefused::new(Refusal::Invalid, why))?;
        let device = self.device(&act.kind)?;
        // A process that has just begun does not know the plant's time; the desk does.
        act.at = self.board.newest().unwrap_or_default();
        let act_id = act.act_id.clone();
        let (told, answer) = sync_channel(1);
        {
            let mut waiting = self.waiting.all();
            if waiting.values().map(Vec::len).sum::<usize>() >= WAITING_MAX {
                return Err(busy("too many decisions wait already"));
            }
            waiting.entry(act_id.clone()).or_default().push(told);
        }
        let came = self.send(&Slip::Act { act, device }).and_then(|()| {
            answer.recv_timeout(PATIENCE).unwrap_or_else(|_| {
                Err(busy(
                    "it was handed in, and nothing has come of it yet; asked again with the same \
                     Idempotency-Key it is still done once",
                ))
            })
        });
        if came.is_err() {
            self.waiting.forget(&act_id);
        }
        came
    }
}
