//! Where epochs go: into transactions, or out at once and into offsets afterwards.

use std::sync::Arc;
use std::time::Duration;

use andon_emit::kafka::{Decided, Epoch, Options, Outcome, Outgoing, Stream, Transactor};
use andon_ingest::kafka::{Committed, Reader};
use rdkafka::ClientConfig;

use super::settings::{Delivery, Settings};

/// How long the cluster is given to acknowledge what is sent at once.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(10);
/// How long the group is given to say what was committed.
const TOLD_WITHIN: Duration = Duration::from_secs(10);

/// Where epochs go.
#[derive(Debug)]
pub enum Sink {
    /// Each into one transaction.
    Transactions(Box<Transactor>),
    /// Records at once, state and offsets at the end of the epoch.
    AtOnce {
        /// The producer.
        stream: Box<Stream>,
        /// Commits the offsets.
        reader: Arc<Reader>,
        /// How the last epoch ended, until it is asked for.
        outcome: Option<Outcome>,
    },
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
        Ok(match settings.delivery {
            Delivery::ExactlyOnce => Self::transactions(settings, client, reader, &settings.group)?,
            Delivery::LowLatency => Self::AtOnce {
                stream: Box::new(Stream::new(&client)?),
                reader: reader.clone(),
                outcome: None,
            },
        })
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
        let decided: Decided = Arc::new(move |epoch| is_committed(&asked, epoch));
        let transactor = Transactor::start(Options {
            client,
            transactional_id: format!("{group}-{}", settings.instance),
            timeout: settings.session * 2 / 3,
            decided,
        })?;
        Ok(Self::Transactions(Box::new(transactor)))
    }

    /// Sends records now, if this sink does not wait for the end of an epoch.
    ///
    /// # Errors
    /// If they cannot be sent.
    pub fn hand_over(&self, records: &mut Vec<Outgoing>) -> anyhow::Result<()> {
        if let Self::AtOnce { stream, .. } = self {
            for record in records.drain(..) {
                stream.send(&record)?;
            }
            stream.poll();
        }
        Ok(())
    }

    /// Ends an epoch.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn submit(&mut self, epoch: Epoch) -> anyhow::Result<()> {
        match self {
            Self::Transactions(transactor) => transactor.submit(epoch)?,
            Self::AtOnce {
                stream,
                reader,
                outcome,
            } => {
                let ended = send(stream, reader, &epoch);
                *outcome = Some(match ended {
                    Ok(()) => Outcome::Committed,
                    Err(error) => Outcome::Aborted {
                        reason: format!("{error:#}"),
                        outdated: false,
                    },
                });
            }
        }
        Ok(())
    }

    /// How the epoch ended, waiting for it at most so long.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn outcome(&mut self, within: Duration) -> anyhow::Result<Option<Outcome>> {
        Ok(match self {
            Self::Transactions(transactor) => {
                transactor.outcome(within)?.map(|(_, outcome)| outcome)
            }
            Self::AtOnce { outcome, .. } => outcome.take(),
        })
    }
}

/// What went out at once is acknowledged first, then the state, then the offsets: whoever goes on
/// from any point in between says some of it again, with the same ids and revisions.
fn send(stream: &Stream, reader: &Reader, epoch: &Epoch) -> anyhow::Result<()> {
    stream.flush(ACKNOWLEDGED_WITHIN)?;
    for record in epoch.records.iter().flat_map(|records| records.iter()) {
        stream.send(record)?;
    }
    stream.flush(ACKNOWLEDGED_WITHIN)?;
    let offsets: Vec<_> = epoch
        .offsets
        .iter()
        .map(|o| (o.partition, o.next))
        .collect();
    Ok(reader.commit(&offsets)?)
}

/// Whether the group holds an offset of this epoch.
fn is_committed(reader: &Reader, epoch: &Epoch) -> Result<bool, String> {
    let partitions: Vec<i32> = epoch.offsets.iter().map(|o| o.partition).collect();
    let committed = reader
        .committed(&partitions, TOLD_WITHIN)
        .map_err(|error| error.to_string())?;
    Ok(epoch.offsets.iter().any(|offset| {
        let is_ours = |c: &Committed| c.partition == offset.partition && c.note == offset.note;
        committed.iter().any(is_ours)
    }))
}
