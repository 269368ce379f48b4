//! What stands between the rows of a live run: changes of the plant, what people decide, and what
//! enforcement points answer.

use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use andon_schemas::act::{Act, ActRefused, Acted, Desk, Refusal};
use andon_schemas::time::EventTime;
use tokio::sync::mpsc;

use super::core::Core;
use crate::aside::{Answer, Aside};
use crate::blueprint::Blueprint;
use crate::intake::Recorded;
use crate::telling::Measured;

/// So many acts wait for the run at most.
const WAITING_MAX: usize = 64;
/// So long is waited for what comes of an act.
const PATIENCE: Duration = Duration::from_secs(10);

/// An act on its way to the run, and the way back for what comes of it.
#[derive(Debug)]
pub struct Asked {
    /// What somebody does. When it is, the run says.
    pub act: Act,
    told: SyncSender<Result<Acted, ActRefused>>,
}

impl Asked {
    /// Tells whoever asked, if he still waits.
    pub fn tell(&self, came: Result<Acted, ActRefused>) {
        // Nobody waits any more, or has been told.
        drop(self.told.try_send(came));
    }
}

/// Where acts are handed in.
#[derive(Clone, Debug)]
pub struct Acts(mpsc::Sender<Asked>);

impl Acts {
    /// The way in, and the run's end of it.
    pub fn open() -> (Self, mpsc::Receiver<Asked>) {
        let (way_in, asked) = mpsc::channel(WAITING_MAX);
        (Self(way_in), asked)
    }
}

impl Desk for Acts {
    fn act(&self, act: Act) -> Result<Acted, ActRefused> {
        let busy = |why: &str| ActRefused::new(Refusal::Busy, why);
        let (told, answer) = sync_channel(1);
        self.0
            .try_send(Asked { act, told })
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => busy("too many decisions wait already"),
                mpsc::error::TrySendError::Closed(_) => busy("the run is ending"),
            })?;
        answer.recv_timeout(PATIENCE).unwrap_or_else(|error| {
            Err(busy(match error {
                RecvTimeoutError::Timeout => {
                    "it was handed in, and nothing has come of it yet; asked again with the same \
                     Idempotency-Key it is still done once"
                }
                RecvTimeoutError::Disconnected => "the run is ending",
            }))
        })
    }
}

impl Core {
    /// Measures against another plant from the next record on. Whoever calls it has made sure that
    /// the change is durable.
    ///
    /// # Errors
    /// If the blueprint does not compile, or the capture cannot be written.
    pub fn change(&mut self, blueprint: Blueprint) -> anyhow::Result<()> {
        let plant = blueprint.compile()?;
        self.record_aside(&Recorded::Plant {
            plant: blueprint.clone(),
        })?;
        self.intake.change(&plant);
        let change = Aside::Plant(Box::new(blueprint.clone()), plant.clone());
        self.intake.aside(change);
        self.beside.follow(&blueprint);
        if let Some(teller) = &self.teller {
            teller.change(Measured {
                plant: &plant,
                blueprint: &blueprint,
            });
        }
        self.blueprint = blueprint;
        Ok(())
    }

    /// A person does something after the rows taken so far. Whoever calls it has made sure that it
    /// is durable.
    ///
    /// # Errors
    /// If the capture cannot be written.
    pub fn act(&mut self, act: Act) -> anyhow::Result<()> {
        let act = Box::new(act);
        self.record_aside(&Recorded::Act { act: act.clone() })?;
        self.intake.aside(Aside::Act(act));
        Ok(())
    }

    /// An enforcement point answers after the rows taken so far.
    ///
    /// # Errors
    /// If the capture cannot be written.
    pub fn answer(&mut self, answer: Answer) -> anyhow::Result<()> {
        let answer = Box::new(answer);
        self.record_aside(&Recorded::Ack {
            answer: answer.clone(),
        })?;
        self.intake.aside(Aside::Ack(answer));
        Ok(())
    }

    /// What came of the last act, once everything has been flushed.
    pub fn take_acted(&mut self) -> Option<Result<Acted, ActRefused>> {
        let last = self.acted.pop();
        self.acted.clear();
        last
    }

    /// What time it is in the plant, for what happens without a row. `otherwise` if no row has ever
    /// said it.
    pub fn plant_time(&self, otherwise: EventTime) -> EventTime {
        self.idle_time(Instant::now()).unwrap_or(otherwise)
    }

    fn record_aside(&mut self, aside: &Recorded) -> anyhow::Result<()> {
        match &mut self.capture {
            Some(capture) => Ok(capture.control(&serde_json::to_string(aside)?)?),
            None => Ok(()),
        }
    }
}
