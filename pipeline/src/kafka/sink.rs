//! Where epochs go: into transactions, or out at once and into offsets afterwards.

use std::sync::Arc;
use std::time::Duration;

use andon_emit::kafka::{Epoch, Held, Holds, Options, Outcome, Outgoing, Stream, Transactor};
use andon_ingest::kafka::{Committed, Reader};
use rdkafka::ClientConfig;

use super::settings::{Delivery, Settings};

/// The client is asked this often what was acknowledged.
const LOOKED_EVERY: Duration = Duration::from_millis(5);
/// How long the group is given to say what was committed.
const TOLD_WITHIN: Duration = Duration::from_secs(10);

/// Where epochs go.
#[derive(Debug)]
pub struct Sink {
    transactor: Transactor,
    /// Sends what comes out before the end of its epoch.
    at_once: Option<AtOnce>,
}

#[derive(Debug)]
struct AtOnce {
    stream: Stream,
    /// Records sent so far.
    sent: usize,
    /// An epoch that waits until everything sent before it is acknowledged, and that number.
    waiting: Option<(Epoch, usize)>,
}

impl Sink {
    /// The one that the settings ask for.
    ///
    /// # Errors
    /// If the client cannot be made.
    pub fn open(
        settings: &Settings,
        client: ClientConfig,
        reader: &Arc<Reader>,
    ) -> anyhow::Result<Self> {
        let at_once = match settings.delivery {
            Delivery::ExactlyOnce => None,
            Delivery::LowLatency => Some(AtOnce {
                stream: Stream::new(&client)?,
                sent: 0,
                waiting: None,
            }),
        };
        let sink = Self::transactions(settings, client, reader, &settings.group)?;
        Ok(Self { at_once, ..sink })
    }

    /// One that makes transactions, under a name that begins with the group's.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn transactions(
        settings: &Settings,
        client: ClientConfig,
        reader: &Arc<Reader>,
        group: &str,
    ) -> anyhow::Result<Self> {
        let asked = reader.clone();
        let held: Held = Arc::new(move |epoch| holds(&asked, epoch));
        let transactor = Transactor::start(Options {
            client,
            // No name has a colon, so no two of these are the same.
            transactional_id: format!("{group}:{}", settings.instance),
            timeout: settings.session * 2 / 3,
            held,
        })?;
        Ok(Self {
            transactor,
            at_once: None,
        })
    }

    /// Sends records now, if this sink does not wait for the end of an epoch.
    ///
    /// # Errors
    /// If they cannot be sent.
    pub fn hand_over(&mut self, records: &mut Vec<Outgoing>) -> anyhow::Result<()> {
        if let Some(at_once) = &mut self.at_once {
            for record in records.drain(..) {
                at_once.sent = at_once.stream.send(&record)? + 1;
            }
            at_once.stream.poll();
        }
        Ok(())
    }

    /// Records that were sent and are not acknowledged yet.
    ///
    /// # Errors
    /// If one never will be.
    pub fn in_flight(&self) -> anyhow::Result<usize> {
        Ok(match &self.at_once {
            None => 0,
            Some(at_once) => at_once.sent - at_once.stream.delivered()?,
        })
    }

    /// Ends an epoch: in a transaction, with the state and the offsets, once everything that was
    /// sent before is acknowledged. Whoever goes on from any point in between says some of it
    /// again, with the same ids and revisions.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn submit(&mut self, epoch: Epoch) -> anyhow::Result<()> {
        match &mut self.at_once {
            None => self.transactor.submit(epoch)?,
            Some(at_once) => at_once.waiting = Some((epoch, at_once.sent)),
        }
        Ok(())
    }

    /// How the epoch ended, waiting for it at most so long.
    ///
    /// # Errors
    /// If the system gives no thread, or a record that was sent can never be delivered.
    pub fn outcome(&mut self, within: Duration) -> anyhow::Result<Option<Outcome>> {
        if let Some(at_once) = &mut self.at_once
            && let Some((epoch, sent)) = at_once.waiting.take()
        {
            at_once.stream.wait(within.min(LOOKED_EVERY));
            if at_once.stream.delivered()? < sent {
                at_once.waiting = Some((epoch, sent));
                return Ok(None);
            }
            self.transactor.submit(epoch)?;
        }
        let ended = self.transactor.outcome(within)?;
        Ok(ended.map(|(_, outcome)| outcome))
    }
}

/// What the group holds of the partitions of an epoch.
fn holds(reader: &Reader, epoch: &Epoch) -> Result<Holds, String> {
    let partitions: Vec<i32> = epoch.offsets.iter().map(|o| o.partition).collect();
    let committed = reader
        .committed(&partitions, TOLD_WITHIN)
        .map_err(|error| error.to_string())?;
    let mut holds = Holds::Before;
    for offset in &epoch.offsets {
        let ours = committed.iter().find(|c| c.partition == offset.partition);
        let note = ours.and_then(Committed::noted);
        if note == Some(offset.note.as_str()) {
            return Ok(Holds::This);
        }
        if note != offset.before.as_deref() {
            holds = Holds::Other(offset.partition);
        }
    }
    Ok(holds)
}
