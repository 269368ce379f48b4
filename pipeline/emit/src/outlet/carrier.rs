//! The thread of an outlet: takes from the spool, sends, makes sure that it arrived, tries again.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::counts::Counts;
use super::dead::{self, Dead};
use super::ending::Ending;
use super::{Event, Told, Trouble, Way};
use crate::spool::{Place, Spool};

/// Lines that are taken at once.
const TAKEN_MAX: usize = 64;
/// With nothing new for so long, what was sent is settled.
const QUIET: Duration = Duration::from_millis(200);
/// With something new all the time, after so long.
const SETTLED_EVERY: Duration = Duration::from_secs(2);
/// After the first failure it is tried again so soon, then after twice as long each time.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_LAST: Duration = Duration::from_secs(30);

/// Carries what is in the spool to the receiver.
pub(super) struct Carrier<T> {
    name: String,
    dead: Dead,
    spool: Arc<Spool>,
    counts: Arc<Counts>,
    ending: Ending,
    way: Box<dyn Way<T>>,
    /// After the last line that was sent.
    sent: Place,
    /// Lines that were sent since the last time they were settled.
    unsettled: u64,
    since: Instant,
    failures: u32,
}

impl<T: Told> Carrier<T> {
    pub(super) fn new(
        name: String,
        folder: &Path,
        spool: &Arc<Spool>,
        counts: &Arc<Counts>,
        ending: &Ending,
        mut way: Box<dyn Way<T>>,
    ) -> Self {
        way.heed(ending);
        Self {
            name,
            dead: Dead::within(folder),
            sent: spool.place(),
            spool: spool.clone(),
            counts: counts.clone(),
            ending: ending.clone(),
            way,
            unsettled: 0,
            since: Instant::now(),
            failures: 0,
        }
    }

    pub(super) fn run(mut self) {
        while !self.ending.is_over() {
            let done = self.round();
            let Err(trouble) = done else {
                if self.ending.is_closing() && self.spool.waiting() == 0 {
                    break;
                }
                continue;
            };
            self.fail(&trouble);
            if self.ending.is_closing() {
                break;
            }
        }
    }

    /// What was sent since it was last settled may not have arrived: it is sent again, later.
    fn fail(&mut self, trouble: &Trouble) {
        let (why, after) = match trouble {
            Trouble::Later { why, after } => (why.clone(), *after),
            Trouble::Never(why) => (why.clone(), None),
        };
        self.sent = self.spool.place();
        self.unsettled = 0;
        self.counts.retry();
        // What keeps it changes: that is told as well.
        if self.counts.trouble(Some(why.clone())).as_deref() != Some(why.as_str()) {
            let waiting = self.spool.waiting();
            let (section, many) = (T::SECTION, T::MANY);
            tracing::warn!("{section} {}: {why}; {waiting} {many} wait", self.name);
        }
        let wait = RETRY_FIRST
            .saturating_mul(1 << self.failures.min(16))
            .min(RETRY_LAST);
        self.failures = self.failures.saturating_add(1);
        self.ending
            .rest(after.map_or(wait, |after| after.max(wait)));
    }

    fn round(&mut self) -> Result<(), Trouble> {
        let quiet = if self.ending.is_closing() {
            Duration::ZERO
        } else {
            QUIET
        };
        let lines = self.spool.take(self.sent, TAKEN_MAX, quiet).map_err(disk)?;
        if lines.is_empty() {
            return self.settle();
        }
        for (line, place) in lines {
            if self.ending.is_over() {
                return Ok(());
            }
            self.carry(&line, place)?;
            let is_due =
                self.unsettled >= self.way.window() || self.since.elapsed() > SETTLED_EVERY;
            if is_due {
                self.settle()?;
            }
        }
        Ok(())
    }

    fn carry(&mut self, line: &[u8], place: Place) -> Result<(), Trouble> {
        let sent = match serde_json::from_slice::<T>(line) {
            Ok(item) => self.way.send(&Event {
                id: item.id(),
                item: &item,
            }),
            // Somebody wrote into the spool, or its disk is failing.
            Err(error) => Err(Trouble::Never(format!("no {}: {error}", T::ONE))),
        };
        match sent {
            Ok(()) => {
                if self.unsettled == 0 {
                    self.since = Instant::now();
                }
                self.unsettled += 1;
                self.sent = place;
                Ok(())
            }
            Err(Trouble::Never(why)) => self.bury(line, place, &why),
            Err(later) => Err(later),
        }
    }

    /// Puts a line that the receiver will never take aside, once all before it have arrived.
    fn bury(&mut self, line: &[u8], place: Place, why: &str) -> Result<(), Trouble> {
        self.settle()?;
        let text = String::from_utf8_lossy(line).into_owned();
        let aside = Map::from_iter([
            ("why".to_owned(), Value::from(why)),
            (T::ONE.to_owned(), Value::from(text)),
        ]);
        let aside = Value::from(aside).to_string();
        let (section, one) = (T::SECTION, T::ONE);
        if self.dead.add(&aside).map_err(disk)? {
            let (many, name) = (T::MANY, &self.name);
            tracing::warn!(
                "{section} {name}: the oldest {many} that were put aside make room for newer ones"
            );
        }
        tracing::error!(
            "{section} {}: {why}; the {one} is put aside in {}",
            self.name,
            dead::NAME
        );
        self.counts.refused(1);
        self.counts.trouble(Some(why.to_owned()));
        self.failures = 0;
        self.sent = place;
        self.spool.arrived(place).map_err(disk)
    }

    fn settle(&mut self) -> Result<(), Trouble> {
        if self.unsettled == 0 {
            return Ok(());
        }
        self.way.settle()?;
        self.spool.arrived(self.sent).map_err(disk)?;
        self.counts.arrived(self.unsettled);
        self.unsettled = 0;
        self.failures = 0;
        if self.counts.trouble(None).is_some() {
            tracing::info!("{} {}: it takes {} again", T::SECTION, self.name, T::MANY);
        }
        Ok(())
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it stands where a function of errors does"
)]
fn disk(error: io::Error) -> Trouble {
    Trouble::later(format!("the spool cannot be used: {error}"))
}
