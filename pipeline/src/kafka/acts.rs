//! Where people's acts are handed in on Kafka: into `andon.acts.v1`, which every process of the group
//! reads. Whoever takes an act in names the desk that is to do it, once; that desk does it, and says
//! there what came of it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use andon_console::Board;
use andon_emit::kafka::{Outgoing, Stream};
use andon_schemas::act::{Act, ActKind, ActRefused, Acted, Desk, Refusal};
use andon_schemas::identity::DeviceId;
use rdkafka::ClientConfig;
use serde::{Deserialize, Serialize};

use super::directory::Directory;
use super::names::Names;
use super::respond::routes::Routes;
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
    /// Somebody does something.
    Act {
        /// What.
        act: Act,
        /// The desk that is to do it.
        desk: i32,
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
pub struct Waiting(Arc<Mutex<BTreeMap<u64, Waiter>>>);

/// One of them.
#[derive(Debug)]
struct Waiter {
    act_id: String,
    told: SyncSender<Came>,
}

impl Waiting {
    /// Tells whoever waits for an act what came of it.
    pub(super) fn tell(&self, act_id: &str, came: &Came) {
        for waiter in self.all().values().filter(|w| w.act_id == act_id) {
            // Nobody waits any more, or has been told.
            drop(waiter.told.try_send(came.clone()));
        }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<u64, Waiter>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to wait; `None` if too many do.
    fn enter(&self, number: u64, act_id: &str) -> Option<Receiver<Came>> {
        let mut all = self.all();
        if all.len() >= WAITING_MAX {
            return None;
        }
        let (told, answer) = sync_channel(1);
        let act_id = act_id.to_owned();
        all.insert(number, Waiter { act_id, told });
        Some(answer)
    }

    fn leave(&self, number: u64) {
        self.all().remove(&number);
    }
}

/// Where acts are handed in.
#[derive(Debug)]
pub struct Acts {
    client: ClientConfig,
    /// Made when the first act comes, and anew after one that was not taken.
    stream: Mutex<Option<Stream>>,
    topic: Arc<str>,
    board: Board,
    directory: Directory,
    routes: Arc<Mutex<Routes>>,
    waiting: Waiting,
    number: AtomicU64,
}

impl Acts {
    /// The way in.
    pub fn open(
        settings: &Settings,
        names: &Names,
        board: Board,
        directory: Directory,
        routes: Arc<Mutex<Routes>>,
        waiting: Waiting,
    ) -> Self {
        Self {
            client: settings.client("acts"),
            stream: Mutex::new(None),
            topic: names.acts.clone(),
            board,
            directory,
            routes,
            waiting,
            number: AtomicU64::new(0),
        }
    }

    /// The desk that is to do it.
    fn desk(&self, kind: &ActKind) -> Result<i32, ActRefused> {
        match kind {
            ActKind::Approve { command_id }
            | ActKind::Reject { command_id }
            | ActKind::Release { command_id } => {
                let why = || format!("there is no order `{command_id}`");
                let desk = self.directory.of_order(command_id);
                desk.ok_or_else(|| self.unknown(why()))
            }
            ActKind::Judge { incident_id, .. } => {
                let why = || format!("no incident `{incident_id}` is kept");
                let desk = self.directory.of_incident(incident_id);
                desk.ok_or_else(|| self.unknown(why()))
            }
            ActKind::ReleaseDevice { device } => {
                let desk = self.directory.of_device(device);
                Ok(desk.unwrap_or_else(|| self.home(device)))
            }
            ActKind::Quarantine { device, .. } | ActKind::Suppress { device, .. } => {
                Ok(self.home(device))
            }
        }
    }

    fn home(&self, device: &DeviceId) -> i32 {
        let routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        routes.of_device(device)
    }

    /// What is not known does not exist, once everything has been read.
    fn unknown(&self, why: String) -> ActRefused {
        if self.directory.is_complete() {
            return ActRefused::new(Refusal::NotFound, why);
        }
        let why = "what stands is still being read from the audit trail: ask again in a moment";
        ActRefused::new(Refusal::Busy, why)
    }

    fn send(&self, slip: &Slip) -> anyhow::Result<()> {
        let record = slip.outgoing(&self.topic)?;
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        let open = match stream.take() {
            Some(open) => open,
            None => Stream::occasional(&self.client, TAKEN_WITHIN)?,
        };
        open.send(&record)?;
        open.flush(TAKEN_WITHIN + Duration::from_secs(1))?;
        *stream = Some(open);
        Ok(())
    }

    fn hand_in(&self, act: Act, desk: i32, answer: &Receiver<Came>) -> Came {
        let busy = |why: String| ActRefused::new(Refusal::Busy, why);
        self.send(&Slip::Act { act, desk }).map_err(|error| {
            busy(format!(
                "Kafka has not said that it took it, and it may still be done within five minutes; \
                 asked again with the same Idempotency-Key it is done once: {error:#}"
            ))
        })?;
        answer.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            Err(busy(
                "it was handed in, and nothing has come of it yet: it may still be done within five \
                 minutes; asked again with the same Idempotency-Key it is done once"
                    .to_owned(),
            ))
        })
    }
}

impl Desk for Acts {
    fn act(&self, mut act: Act) -> Result<Acted, ActRefused> {
        let desk = self.desk(&act.kind)?;
        // A process that has just begun does not know the plant's time; the desk does.
        act.at = self.board.newest().unwrap_or_default();
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let Some(answer) = self.waiting.enter(number, &act.act_id) else {
            let why = "too many decisions wait already";
            return Err(ActRefused::new(Refusal::Busy, why));
        };
        let came = self.hand_in(act, desk, &answer);
        self.waiting.leave(number);
        came
    }
}
