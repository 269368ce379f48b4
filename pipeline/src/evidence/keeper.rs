//! Writes what was collected, in a thread of its own.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::thread::JoinHandle;

use anyhow::Context as _;

use super::shelf::{Part, Shelf};
use crate::exit::words;

/// So many parts wait to be written at most.
const WAITING_MAX: usize = 64;
enum Errand {
    Keep(Part),
    Settle(Sender<()>),
}

/// The thread that writes.
#[derive(Debug)]
pub(super) struct Keeper {
    errands: Option<SyncSender<Errand>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Goes on in a folder, which is made if need be. One that cannot be gone on with is set aside:
    /// the run matters more.
    pub(super) fn start(folder: &Path) -> anyhow::Result<Self> {
        let mut shelf = Shelf::go_on(folder)?;
        let (errands, waiting) = sync_channel(WAITING_MAX);
        let thread = std::thread::Builder::new()
            .name("evidence".to_owned())
            .spawn(move || serve(&mut shelf, &waiting))
            .context("cannot start the thread that keeps evidence")?;
        Ok(Self {
            errands: Some(errands),
            thread: Some(thread),
        })
    }

    /// Has a part written. Gives it back where too many wait, unless it is to `wait` for its turn.
    pub(super) fn take(&self, part: Part, wait: bool) -> Option<Part> {
        let errands = self.errands.as_ref()?;
        let errand = Errand::Keep(part);
        let refused = if wait {
            errands.send(errand).err().map(|error| error.0)
        } else {
            errands.try_send(errand).err().map(|error| match error {
                TrySendError::Full(errand) | TrySendError::Disconnected(errand) => errand,
            })
        };
        match refused? {
            Errand::Keep(part) => Some(part),
            Errand::Settle(_) => None,
        }
    }

    /// Waits until everything handed over is written.
    pub(super) fn settle(&self) {
        let (told, written) = channel();
        let errands = self.errands.as_ref();
        if errands.is_some_and(|errands| errands.send(Errand::Settle(told)).is_ok()) {
            // It has ended, or has written everything.
            let _is_written = written.recv().is_ok();
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.errands = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that keeps evidence ended by a panic");
        }
    }
}

fn serve(shelf: &mut Shelf, errands: &Receiver<Errand>) {
    while let Ok(errand) = errands.recv() {
        match errand {
            Errand::Settle(told) => drop(told.send(())),
            Errand::Keep(part) => {
                let id = part.incident_id.clone();
                if let Err(error) = shelf.keep(part) {
                    tracing::error!(
                        "records of incident {id} are not kept as evidence: {}",
                        words(&error)
                    );
                }
            }
        }
    }
}
