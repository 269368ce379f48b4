//! The thread that takes epochs through transactions, one after the other, and never leaves one
//! undecided: what the client cannot tell is asked of the group, by the note that every commit
//! leaves beside its offsets.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, Producer as _};

use super::ProducerError;
use super::hopeless;
use super::transaction::{Attempt, Epoch, Holds, Outcome, attempt, choose_partitions};

/// How long is waited before the cluster is asked again.
const PAUSE: Duration = Duration::from_millis(500);

/// What the group holds of the partitions of an epoch, by the notes beside their offsets. Called
/// only after every transaction of ours that might still change it is decided.
pub type Held = Arc<dyn Fn(&Epoch) -> Result<Holds, String> + Send + Sync>;

/// How transactions are made.
#[derive(Clone)]
pub struct Options {
    /// How to reach the cluster.
    pub client: ClientConfig,
    /// Stable name; whoever comes with the same name later fences us.
    pub transactional_id: String,
    /// The coordinator aborts a transaction that takes longer.
    pub timeout: Duration,
    /// Asks the group.
    pub held: Held,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("transactional_id", &self.transactional_id)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// What the thread is asked.
struct Ask {
    epoch: Arc<Epoch>,
    /// An earlier attempt at it may have been committed.
    in_doubt: bool,
}

/// A thread with a producer.
struct Worker {
    asks: SyncSender<Ask>,
    outcomes: Receiver<Outcome>,
    /// It was left behind: whatever it still does must not count.
    gone: Arc<AtomicBool>,
}

/// Takes epochs through transactions.
pub struct Transactor {
    options: Options,
    worker: Worker,
    under_way: Option<(Arc<Epoch>, Instant)>,
    /// Threads whose client never answered.
    left_behind: usize,
}

impl std::fmt::Debug for Transactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transactor")
            .field("options", &self.options)
            .field("is_busy", &self.is_busy())
            .finish_non_exhaustive()
    }
}

impl Transactor {
    /// Starts the thread, which ends whatever an earlier process of this name left undecided.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(options: Options) -> Result<Self, ProducerError> {
        Ok(Self {
            worker: Worker::start(&options)?,
            options,
            under_way: None,
            left_behind: 0,
        })
    }

    /// Whether an epoch is under way.
    pub fn is_busy(&self) -> bool {
        self.under_way.is_some()
    }

    /// Threads that were left behind because their client never answered.
    pub fn left_behind(&self) -> usize {
        self.left_behind
    }

    /// Begins with an epoch. None may be under way.
    ///
    /// # Errors
    /// If the thread is gone and the system gives no other.
    pub fn submit(&mut self, epoch: Epoch) -> Result<(), ProducerError> {
        self.ask(Arc::new(epoch), false)
    }

    fn ask(&mut self, epoch: Arc<Epoch>, in_doubt: bool) -> Result<(), ProducerError> {
        let ask = |epoch| Ask { epoch, in_doubt };
        if self.worker.asks.send(ask(epoch.clone())).is_err() {
            self.worker = Worker::start(&self.options)?;
            // A thread that has just started waits for this.
            let _taken = self.worker.asks.send(ask(epoch.clone())).is_ok();
        }
        self.under_way = Some((epoch, Instant::now()));
        Ok(())
    }

    /// How the epoch under way ended, with the epoch, waiting for it at most so long; `None` while
    /// it has not.
    ///
    /// # Errors
    /// If the system gives no thread for another attempt.
    pub fn outcome(
        &mut self,
        within: Duration,
    ) -> Result<Option<(Arc<Epoch>, Outcome)>, ProducerError> {
        let Some((epoch, since)) = self.under_way.take() else {
            return Ok(None);
        };
        let answer = if within.is_zero() {
            self.worker
                .outcomes
                .try_recv()
                .map_err(|error| match error {
                    TryRecvError::Empty => RecvTimeoutError::Timeout,
                    TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
                })
        } else {
            self.worker.outcomes.recv_timeout(within)
        };
        match answer {
            Ok(outcome) => return Ok(Some((epoch, outcome))),
            Err(RecvTimeoutError::Timeout) if since.elapsed() < self.patience() => {
                self.under_way = Some((epoch, since));
            }
            Err(RecvTimeoutError::Timeout) => {
                // The client is known to hang in a call for ever (librdkafka#5511). The new one
                // fences it, so whatever it still does is refused.
                tracing::error!(
                    "kafka: the client does not return from a transaction; another one takes over"
                );
                self.left_behind += 1;
                self.worker = Worker::start(&self.options)?;
                self.ask(epoch, true)?;
            }
            Err(RecvTimeoutError::Disconnected) => {
                tracing::error!("kafka: the thread of the producer ended by a panic");
                self.worker = Worker::start(&self.options)?;
                self.ask(epoch, true)?;
            }
        }
        Ok(None)
    }

    /// Longer than any call that answers in time can take.
    fn patience(&self) -> Duration {
        self.options.timeout * 6 + Duration::from_secs(30)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::Release);
    }
}

impl Worker {
    fn start(options: &Options) -> Result<Self, ProducerError> {
        let (asks, inbox) = sync_channel(1);
        let (outbox, outcomes) = sync_channel(1);
        let options = options.clone();
        let gone = Arc::new(AtomicBool::new(false));
        let told = gone.clone();
        thread::Builder::new()
            .name("kafka-transactions".to_owned())
            .spawn(move || serve(&options, &told, &inbox, &outbox))
            .map_err(ProducerError::Thread)?;
        Ok(Self {
            asks,
            outcomes,
            gone,
        })
    }
}

fn serve(
    options: &Options,
    gone: &AtomicBool,
    inbox: &Receiver<Ask>,
    outbox: &SyncSender<Outcome>,
) {
    // At once, not with the first epoch: a transaction that an earlier process of this name left
    // open keeps everybody from seeing what is committed.
    let mut producer = connect(options)
        .inspect_err(|reason| tracing::warn!("kafka: no transactions yet: {reason}"))
        .ok();
    while let Ok(Ask { epoch, in_doubt }) = inbox.recv() {
        let outcome = decide(options, gone, &mut producer, &epoch, in_doubt);
        if outbox.send(outcome).is_err() {
            return;
        }
    }
}

/// Takes an epoch through transactions until it is known how it ended.
///
/// The group is asked before every attempt, too. It fences a process that was away for longer than
/// its session, but a static member that comes back while the group is being divided anew is given
/// a place at once, and its client does not tell that its partitions were somebody else's for a
/// while.
fn decide(
    options: &Options,
    gone: &AtomicBool,
    producer: &mut Option<BaseProducer>,
    epoch: &Epoch,
    mut in_doubt: bool,
) -> Outcome {
    let aborted = |reason: String| Outcome::Aborted {
        reason,
        outdated: false,
    };
    loop {
        let ready = match producer.take().map_or_else(|| connect(options), Ok) {
            Ok(ready) => ready,
            Err(error) => {
                if let Some(reason) = hopeless::in_words(&error, &error.to_string()) {
                    return Outcome::Hopeless { reason };
                }
                thread::sleep(PAUSE);
                if in_doubt {
                    tracing::warn!("kafka: it is not known yet how a transaction ended: {error}");
                    continue;
                }
                return aborted(error.to_string());
            }
        };
        if gone.load(Ordering::Acquire) {
            // Another thread has this epoch by now.
            return aborted("left behind".to_owned());
        }
        let ready = producer.insert(ready);
        match (options.held)(epoch) {
            Ok(Holds::This) => return Outcome::Committed,
            Ok(Holds::Other(partition)) => return Outcome::Taken { partition },
            Ok(Holds::Before) => {}
            Err(reason) => {
                thread::sleep(PAUSE);
                if in_doubt {
                    tracing::warn!("kafka: it is not known yet how a transaction ended: {reason}");
                    continue;
                }
                return aborted(reason);
            }
        }
        if in_doubt {
            return aborted("the transaction was not committed".to_owned());
        }
        match attempt(ready, epoch, options.timeout) {
            Attempt::Committed => return Outcome::Committed,
            Attempt::Aborted { reason, outdated } => return Outcome::Aborted { reason, outdated },
            Attempt::Hopeless(reason) => return Outcome::Hopeless { reason },
            Attempt::Unknown(reason) => {
                tracing::warn!("kafka: a transaction ended without an answer: {reason}");
                if let Some(broken) = producer.take() {
                    abandon(broken);
                }
                in_doubt = true;
            }
        }
    }
}

/// A producer whose earlier transactions, by whatever process of this name, are all decided.
fn connect(options: &Options) -> Result<BaseProducer, KafkaError> {
    let mut client = options.client.clone();
    let millis = options.timeout.as_millis();
    client
        .set("transactional.id", &options.transactional_id)
        .set("transaction.timeout.ms", millis.to_string())
        // A question may be asked again while the transaction is open.
        .set("socket.timeout.ms", millis.saturating_sub(100).to_string())
        .set("message.timeout.ms", (millis * 9 / 10).to_string())
        .set("compression.type", "lz4")
        .set("linger.ms", "1");
    choose_partitions(&mut client);
    let producer: BaseProducer = client.create()?;
    match producer.init_transactions(options.timeout) {
        Ok(()) => Ok(producer),
        Err(error) => {
            abandon(producer);
            Err(error)
        }
    }
}

/// Lets a producer go without waiting for it: closing one whose cluster is away takes long.
fn abandon(producer: BaseProducer) {
    let closing = thread::Builder::new().name("kafka-close".to_owned());
    if let Err(error) = closing.spawn(move || drop(producer)) {
        tracing::warn!("kafka: a producer is closed in line: {error}");
    }
}
