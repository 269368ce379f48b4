//! An outlet to a SIEM: only the episodes that its receiver wants to hear of are put in.

mod filter;

use std::io;
use std::path::Path;
use std::time::Duration;

use andon_schemas::grade::Grade;
use andon_schemas::verdict::Verdict;

use self::filter::Filter;
use super::facts::event_id;
use crate::outlet::{Outlet as Carrying, Status, Told, Way};

#[cfg(test)]
mod tests;

impl Told for Verdict {
    const SECTION: &'static str = "siem";
    const ONE: &'static str = "verdict";
    const MANY: &'static str = "verdicts";

    fn id(&self) -> String {
        event_id(self)
    }
}

/// What an outlet is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutletOptions {
    /// Of its folder and its counts.
    pub name: String,
    /// Episodes that never were as bad are not told.
    pub min_grade: Grade,
    /// Episodes that never were an alert are not told.
    pub only_alerts: bool,
    /// Most bytes that wait.
    pub spool_bytes_max: u64,
}

/// An outlet at work.
#[derive(Debug)]
pub struct Outlet {
    filter: Filter,
    carrying: Carrying<Verdict>,
}

impl Outlet {
    /// Goes on where the outlet of this name stopped, in a folder of its own below `folder`.
    ///
    /// # Errors
    /// If the disk fails, or the system gives no thread.
    pub fn start(
        folder: &Path,
        options: &OutletOptions,
        way: Box<dyn Way<Verdict>>,
    ) -> io::Result<Self> {
        let carrying = Carrying::start(folder, &options.name, options.spool_bytes_max, way)?;
        let filter = Filter::open(carrying.folder(), options.min_grade, options.only_alerts)?;
        Ok(Self { filter, carrying })
    }

    /// Takes a verdict, if it is one of those that it tells. `is_alert`: this revision is worth a
    /// person's time now.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn take(&mut self, verdict: &Verdict, is_alert: bool) -> io::Result<()> {
        if !self.filter.passes(verdict, is_alert) {
            return Ok(());
        }
        self.carrying.take(verdict)
    }

    /// Makes sure that what was taken is on the disk.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn sync(&mut self) -> io::Result<()> {
        self.carrying.sync()?;
        self.filter.keep(self.carrying.folder())
    }

    /// How it stands.
    pub fn status(&self) -> Status {
        self.carrying.status()
    }

    /// Carries on for as long as it takes, or `patience`, or until the receiver is in trouble; what
    /// is left waits for the next start.
    pub fn close(&mut self, patience: Duration) {
        self.carrying.close(patience);
    }
}
