//! From messages to rows: whose each is, what it holds, and what is refused.

use std::time::Instant;

use andon_ingest::kafka::Message;
use andon_ingest::kafka::payload::Payloads;
use andon_ingest::refused::Refused;
use andon_schemas::inventory::Inventory;
use andon_schemas::observation::{Record, Source};
use andon_schemas::view::View;

use super::Lane;
use crate::kafka::address::{About, Addressee, about, addressees};

impl Lane {
    /// Takes messages of its partition that came together.
    ///
    /// # Errors
    /// If something that came out cannot be written as JSON.
    pub fn take(
        &mut self,
        messages: &[Message<'_>],
        payloads: &mut Payloads,
        came: Instant,
    ) -> anyhow::Result<()> {
        let plant = self.intake.plant().clone();
        let inventory = plant.inventory();
        let addressees = addressees(messages, self.producers, inventory);
        for (message, addressee) in messages.iter().zip(addressees) {
            if message.offset < self.next {
                continue;
            }
            self.pass(message.offset)?;
            self.ended = false;
            self.touched = true;
            self.waiting_since.get_or_insert(came);
            match addressee {
                Ok(addressee) => self.read(message, &addressee, inventory, payloads, came),
                Err(refused) => self.refuse(refused, message),
            }
            self.next = message.offset + 1;
            // What is to be repeated ends behind a record that was read before.
            self.repeated()?;
        }
        Ok(())
    }

    /// Reads the payload of a message.
    fn read(
        &mut self,
        message: &Message<'_>,
        addressee: &Addressee<'_>,
        inventory: &Inventory,
        payloads: &mut Payloads,
        came: Instant,
    ) {
        let likely = Some(addressee.id());
        payloads.read(message.payload.unwrap_or_default(), likely, &mut |record| {
            // Records are long: one stays where it is until its row is made.
            let mut record = match record {
                Ok(record) => record,
                Err(refused) => return self.refuse(refused, message),
            };
            match about(&mut record, addressee, self.producers.trusted, inventory) {
                Ok(about) => self.record(record, about, addressee, message, came),
                Err(refused) => self.refuse(refused, message),
            }
        });
    }

    fn source(&self, message: &Message<'_>) -> Source {
        Source {
            topic: self.topic.clone(),
            partition: u32::try_from(self.partition).unwrap_or(0),
            offset: u64::try_from(message.offset).unwrap_or(0),
        }
    }

    fn refuse(&mut self, refused: Refused, message: &Message<'_>) {
        let raw = message.payload.unwrap_or_default();
        let reject = refused.at(self.source(message), message.stamped, raw);
        self.intake.reject(reject);
    }

    fn record(
        &mut self,
        mut record: Record,
        about: About,
        addressee: &Addressee<'_>,
        message: &Message<'_>,
        came: Instant,
    ) {
        let (source, received_at) = (self.source(message), message.stamped);
        let newest = self.intake.feed().newest();
        let at = record.event_time;
        let observed = self.intake.tally().observed;
        record.received_at = None;
        match about {
            About::Addressee(role) => {
                let device = (addressee.id(), addressee.place());
                self.intake
                    .row(View::of(&record, device, role, &source, received_at));
            }
            About::Other => self.intake.record(&record, &source, received_at),
        }
        if let Some(advisor) = &self.advisor
            && self.intake.tally().observed > observed
        {
            let device = record.device.as_ref().unwrap_or(addressee.id());
            advisor.see(device, &record, self.intake.plant().inventory());
        }
        if self.intake.feed().newest() > newest {
            self.newest_came = Some((at.min(received_at), came));
        }
    }
}
