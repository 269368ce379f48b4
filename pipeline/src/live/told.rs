//! What a live run tells whoever asks over HTTP.

use andon_schemas::time::EventTime;
use tokio::runtime::Runtime;

use super::core::Core;
use crate::telling::{Progress, Teller};

impl Core {
    /// Tells from here on what it does, and what it knows already.
    ///
    /// # Errors
    /// If a shard's thread is gone.
    pub fn tell_by(&mut self, mut teller: Teller) -> anyhow::Result<()> {
        let episodes = self.results.ledger.episodes.values();
        let open = episodes.map(|episode| &episode.last);
        teller.restored(&self.shards, open, self.intake.tally())?;
        let orders = &self.results.orders;
        teller.commands(orders, &orders.devices().cloned().collect(), &[]);
        teller.incidents_known(self.results.incidents.all());
        if let Some(advisor) = &self.advisor {
            teller.advise(advisor.clone());
        }
        self.teller = Some(teller);
        Ok(())
    }

    /// The loop goes on; `connected` if silence means that nothing happens.
    ///
    /// # Errors
    /// If a shard's thread is gone.
    pub fn tell(&mut self, connected: bool) -> anyhow::Result<()> {
        let newest = self.intake.feed().newest();
        let progress = Progress { newest, connected };
        match &mut self.teller {
            None => Ok(()),
            Some(teller) if teller.is_due() => {
                let (siem, notify) = self.results.outlets();
                teller.outlets("siem", siem);
                teller.outlets("notify", notify);
                teller.beat(&self.shards, self.intake.tally(), progress)
            }
            Some(teller) => teller.beat(&self.shards, self.intake.tally(), progress),
        }
    }

    /// Tells nobody any more.
    pub fn hush(&mut self, runtime: &Runtime) {
        if let Some(mut teller) = self.teller.take() {
            teller.close(runtime);
        }
    }

    /// Largest event time so far.
    pub fn newest(&mut self) -> EventTime {
        self.intake.feed().newest()
    }
}
