//! Our place in a group, and the client that holds it.
//!
//! With the group protocol of Kafka 4 the place of a process that was killed is kept for it until
//! the broker misses it, and whoever comes under its name meanwhile is turned away, client and all.
//! So the place is asked for again, each time by a new client, for as long as that may last.
//!
//! A place can also be given away behind our back: if a broker dies between giving it to us and
//! saying so, we ask once more, and the group fences whichever of the two it takes for the older
//! one. What was ours is given up then, and the place is asked for again; only if that happens time
//! after time is somebody else there.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};

use super::heard::ReaderError;
use super::reader::during;
use super::watch::Watch;

/// Twice as long as brokers let a session be, unless they are told otherwise
/// (`group.consumer.max.session.timeout.ms`).
const RELEASED_WITHIN: Duration = Duration::from_secs(120);
/// So often may the place be given away within [`RELEASED_WITHIN`]: two processes of one name take
/// it from each other every [`PAUSE`], a cluster in trouble loses an answer now and then.
const OUSTED_MAX: usize = 4;
/// How long is waited before the place is asked for again.
const PAUSE: Duration = Duration::from_secs(1);

/// The consumer of one topic, or of what comes after it.
pub(super) struct Seat {
    config: ClientConfig,
    topic: String,
    consumer: RwLock<Arc<BaseConsumer<Watch>>>,
    turned_away: Mutex<Option<TurnedAway>>,
    /// When the place was given away lately.
    ousted: Mutex<Vec<Instant>>,
}

/// The group keeps our place for an earlier process.
struct TurnedAway {
    since: Instant,
    /// When to ask again; `None` while an answer is due.
    again: Option<Instant>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn consumer(config: &ClientConfig, topic: &str) -> Result<Arc<BaseConsumer<Watch>>, ReaderError> {
    let consumer: BaseConsumer<Watch> = config
        .create_with_context(Watch::new(topic))
        .map_err(during("make the consumer"))?;
    consumer.subscribe(&[topic]).map_err(during("subscribe"))?;
    Ok(Arc::new(consumer))
}

impl Seat {
    pub(super) fn ask_for(config: ClientConfig, topic: &str) -> Result<Self, ReaderError> {
        Ok(Self {
            consumer: RwLock::new(consumer(&config, topic)?),
            config,
            topic: topic.to_owned(),
            turned_away: Mutex::default(),
            ousted: Mutex::default(),
        })
    }

    pub(super) fn consumer(&self) -> Arc<BaseConsumer<Watch>> {
        let consumer = self.consumer.read();
        consumer.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The client was turned away, and is of no use any more. `false` if that has been so for longer
    /// than it should.
    pub(super) fn turned_away(&self) -> bool {
        let mut turned_away = locked(&self.turned_away);
        let now = Instant::now();
        let since = turned_away.as_ref().map_or(now, |before| before.since);
        if turned_away.is_none() {
            tracing::warn!(
                "kafka: the group still keeps the place of an earlier process of our name; waiting \
                 until the broker misses it (group.consumer.session.timeout.ms)"
            );
        }
        *turned_away = Some(TurnedAway {
            since,
            again: Some(now + PAUSE),
        });
        drop(turned_away);
        self.consumer().context().lose_all();
        now.duration_since(since) < RELEASED_WITHIN
    }

    /// The group has given our place away, and the client is of no use any more. `false` if that has
    /// happened so often that somebody else of our name must be there.
    pub(super) fn ousted(&self) -> bool {
        let now = Instant::now();
        let mut ousted = locked(&self.ousted);
        ousted.retain(|then| now.duration_since(*then) < RELEASED_WITHIN);
        ousted.push(now);
        if ousted.len() > OUSTED_MAX {
            return false;
        }
        tracing::warn!(
            times = ousted.len(),
            "kafka: the group has given our place to another client of our name, perhaps to \
             ourselves, by an answer that was lost on its way; asking for it again"
        );
        *locked(&self.turned_away) = Some(TurnedAway {
            since: now,
            again: Some(now + PAUSE),
        });
        self.consumer().context().lose_all();
        true
    }

    /// How long the place has been somebody else's, while it is.
    pub(super) fn waits_for(&self) -> Option<Duration> {
        let turned_away = locked(&self.turned_away);
        turned_away.as_ref().map(|it| it.since.elapsed())
    }

    /// Whether there is nothing to hear before the place is asked for again; asks once it is time.
    pub(super) fn is_waiting(&self) -> Result<bool, ReaderError> {
        let mut turned_away = locked(&self.turned_away);
        let Some(it) = turned_away.as_mut() else {
            return Ok(false);
        };
        match it.again {
            None => return Ok(false),
            Some(again) if Instant::now() < again => return Ok(true),
            Some(_) if self.consumer().context().holds_something() => return Ok(true),
            Some(_) => it.again = None,
        }
        let next = consumer(&self.config, &self.topic)?;
        let former = {
            let mut consumer = self
                .consumer
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *consumer, next)
        };
        former.context().close();
        let closing = thread::Builder::new().name("kafka-close".to_owned());
        if let Err(error) = closing.spawn(move || drop(former)) {
            tracing::warn!("kafka: a consumer is closed in line: {error}");
        }
        Ok(false)
    }

    /// The group has given us the place.
    pub(super) fn taken(&self) {
        *locked(&self.turned_away) = None;
    }
}
