//! The enforcement point: hears commands, carries them out or leaves everything as it was, and
//! answers.

use andon_schemas::act::{ACK_SCHEMA, Ack, AckResult, REASON_BYTES_MAX};
use andon_schemas::command::DeviceCommand;
use andon_schemas::identity::DeviceId;
use andon_schemas::time::EventTime;
use serde::Serialize;

use super::heard::{self, Heard};
use super::keep::{Keep, Kept};
use super::nft::Kernel;
use super::orders::{Change, LONGEST, Orders};
use super::ruleset::render;
use super::shield::Shields;

/// Who enforces what.
#[derive(Clone, Debug)]
pub struct Post {
    /// As whom it answers.
    pub enforcer: String,
    /// Indices of its segments; it acts for their devices only.
    pub segments: Vec<usize>,
}

/// What was heard and done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Commands carried out.
    pub done: u64,
    /// Commands that could not be.
    pub failed: u64,
    /// Messages that are no command.
    pub unreadable: u64,
    /// Commands about devices of others.
    pub foreign: u64,
    /// Orders that were in force again after a restart.
    pub restored: u64,
    /// Orders that lapsed.
    pub lapsed: u64,
    /// How often a ruleset that had gone was put back.
    pub put_back: u64,
}

/// An enforcement point.
#[derive(Debug)]
pub struct Point<K> {
    post: Post,
    site: String,
    orders: Orders,
    kernel: K,
    /// None for one that only says what it would do.
    keep: Option<Keep>,
    /// Of the ruleset in force.
    mark: Option<String>,
    /// What stands is not what is in force.
    is_behind: bool,
    counts: Counts,
}

impl<K: Kernel> Point<K> {
    /// One that has not touched the kernel yet.
    pub fn new(post: Post, shields: Shields, kernel: K, keep: Option<Keep>) -> Self {
        let site = shields.inventory().site.clone();
        Self {
            post,
            site,
            orders: Orders::new(shields),
            kernel,
            keep,
            mark: None,
            is_behind: true,
            counts: Counts::default(),
        }
    }

    /// Brings the kernel to what stood when this enforcement point ended, whatever it holds now;
    /// what can no longer be carried out is answered.
    ///
    /// # Errors
    /// If the file cannot be read, or the kernel refuses.
    pub fn restore(&mut self, now: EventTime) -> anyhow::Result<Vec<Ack>> {
        let kept = self.keep.as_ref().map_or(Ok(Vec::new()), Keep::load)?;
        let mut answers = Vec::new();
        for Kept { device, command } in kept {
            if command.expiry <= now {
                self.counts.lapsed += 1;
                continue;
            }
            match self
                .admit(&device)
                .and_then(|()| self.orders.take(&device, &command, now))
            {
                Ok(_) => self.counts.restored += 1,
                Err(reason) => {
                    tracing::error!(%device, action = %command.action, "cannot be restored: {reason}");
                    self.counts.failed += 1;
                    let told = Err(format!("no longer carried out: {reason}"));
                    answers.extend(self.answer(command.key, command.expiry, told, now));
                }
            }
        }
        self.establish(now).map_err(anyhow::Error::msg)?;
        Ok(answers)
    }

    /// Hears a message. `None` if there is nothing to answer, or nobody to be answered about.
    pub fn hear(&mut self, topic: &str, payload: &[u8], now: EventTime) -> Option<Ack> {
        match heard::message(&self.site, topic, payload) {
            Heard::Command(device, command) => self.obey(&device, &command, now),
            Heard::Nothing => None,
            Heard::Unreadable(unreadable) => {
                let reason = unreadable.reason;
                tracing::warn!(topic, "a command cannot be read: {reason}");
                self.counts.unreadable += 1;
                let (device, key, expiry) = unreadable.named?;
                let is_ours = self.is_ours(&device);
                self.answer(key, expiry, Err(reason), now)
                    .filter(|_| is_ours)
            }
        }
    }

    /// Carries out a command. `None` if the device is another one's.
    pub fn obey(
        &mut self,
        device: &DeviceId,
        command: &DeviceCommand,
        now: EventTime,
    ) -> Option<Ack> {
        if !self.is_ours(device) {
            self.counts.foreign += 1;
            tracing::debug!(%device, "it stands in no segment of this enforcement point");
            return None;
        }
        let told = self.carry_out(device, command, now);
        match &told {
            Ok(_) => self.counts.done += 1,
            Err(reason) => {
                tracing::warn!(%device, action = %command.action, "not carried out: {reason}");
                self.counts.failed += 1;
            }
        }
        self.answer(command.key.clone(), command.expiry, told, now)
    }

    /// Takes out what has lapsed.
    ///
    /// # Errors
    /// If that cannot be told the kernel, where it lapses by itself.
    pub fn tick(&mut self, now: EventTime) -> Result<(), String> {
        if self.orders.next_expiry().is_none_or(|next| next > now) {
            return Ok(());
        }
        self.establish(now)
    }

    /// Looks whether what stands is in force, and brings it there if it is not.
    ///
    /// # Errors
    /// If that cannot be told or done.
    pub fn look(&mut self, now: EventTime) -> Result<(), String> {
        if self.is_behind {
            return self.establish(now);
        }
        if self.kernel.holds(self.mark.as_deref())? {
            return Ok(());
        }
        tracing::warn!("the ruleset is not in force any more: it is put back");
        self.establish(now)?;
        self.counts.put_back += 1;
        Ok(())
    }

    /// Goes on with another plant.
    ///
    /// # Errors
    /// Which order could not be carried out there, or why the kernel refuses. The former plant goes
    /// on then.
    pub fn move_to(&mut self, post: Post, shields: Shields, now: EventTime) -> Result<(), String> {
        let lifeline = self.orders.shields().lifeline().to_vec();
        let mut orders = Orders::new(shields.with_lifeline(lifeline));
        self.orders.lapse(now);
        for (device, command) in self.orders.commands() {
            orders
                .take(device, command, now)
                .map_err(|reason| format!("`{}` of `{device}`: {reason}", command.action))?;
        }
        let former = std::mem::replace(&mut self.orders, orders);
        if let Err(reason) = self.establish(now) {
            self.orders = former;
            return Err(reason);
        }
        self.post = post;
        Ok(())
    }

    /// When [`tick`](Self::tick) has something to do.
    pub fn due(&self) -> Option<EventTime> {
        self.orders.next_expiry()
    }

    /// As whom it answers.
    pub fn enforcer(&self) -> &str {
        &self.post.enforcer
    }

    /// What stands.
    pub fn orders(&self) -> &Orders {
        &self.orders
    }

    /// What was heard and done.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Whoever carries out rulesets.
    pub fn kernel(&mut self) -> &mut K {
        &mut self.kernel
    }

    fn is_ours(&self, device: &DeviceId) -> bool {
        let inventory = self.orders.shields().inventory();
        let segment = inventory.segment_of_id(device.as_str());
        segment.is_some_and(|segment| self.post.segments.contains(&segment))
    }

    fn admit(&self, device: &DeviceId) -> Result<(), String> {
        if self.is_ours(device) {
            return Ok(());
        }
        Err("it stands in no segment of this enforcement point any more".to_owned())
    }

    fn carry_out(
        &mut self,
        device: &DeviceId,
        command: &DeviceCommand,
        now: EventTime,
    ) -> Result<String, String> {
        if device.as_str() == self.post.enforcer {
            return Err("it is this enforcement point itself".to_owned());
        }
        if command.expiry.since(now) > LONGEST {
            return Err(format!(
                "it would stand until {}, which is longer than anybody may order: do the clocks agree?",
                command.expiry
            ));
        }
        let (change, before) = self.orders.take(device, command, now)?;
        if matches!(change, Change::Stands | Change::Lifted)
            && let Err(reason) = self.establish(now)
        {
            self.orders.put_back(before);
            self.save_again();
            return Err(reason);
        }
        Ok(match change {
            Change::Nothing => "no such order stands".to_owned(),
            Change::Lifted => "lifted".to_owned(),
            Change::Repeated | Change::Stands => self.stands(device, command),
        })
    }

    fn stands(&self, device: &DeviceId, command: &DeviceCommand) -> String {
        let until = format!("in force until {}", command.expiry);
        let gateway = self.orders.gateway_of(device);
        gateway.map_or(until.clone(), |gateway| {
            format!(
                "{until}, but for what it says through `{gateway}`, which bears that one's address"
            )
        })
    }

    /// Makes what stands durable, and brings it in force.
    fn establish(&mut self, now: EventTime) -> Result<(), String> {
        self.is_behind = true;
        self.counts.lapsed += u64::try_from(self.orders.lapse(now)).unwrap_or(u64::MAX);
        if let Some(keep) = &self.keep {
            keep.save(self.orders.commands())?;
        }
        let ruleset = render(&self.orders.wanted(), now);
        self.kernel.replace(&ruleset.script)?;
        self.mark = ruleset.mark;
        self.is_behind = false;
        Ok(())
    }

    /// After a failure the file must not say what is not so. If it does, a restart brings in force
    /// what was asked for after all.
    fn save_again(&self) {
        let saved = self
            .keep
            .as_ref()
            .map(|keep| keep.save(self.orders.commands()));
        if let Some(Err(reason)) = saved {
            tracing::error!("{reason}");
        }
    }

    /// `None` if the command cannot be named.
    fn answer(
        &self,
        key: String,
        expiry: EventTime,
        told: Result<String, String>,
        now: EventTime,
    ) -> Option<Ack> {
        let result = match &told {
            Ok(_) => AckResult::Done,
            Err(_) => AckResult::Failed,
        };
        let (Ok(detail) | Err(detail)) = told;
        let ack = Ack {
            schema: ACK_SCHEMA.to_owned(),
            command_id: None,
            key: Some(key),
            expiry: Some(expiry),
            enforcer: self.post.enforcer.clone(),
            result,
            detail: bounded(&detail),
            at: now,
        };
        ack.check().is_ok().then_some(ack)
    }
}

/// A detail as an acknowledgement may hold it.
fn bounded(text: &str) -> String {
    let mut bounded = String::new();
    for c in text.chars() {
        let c = if c.is_control() { '?' } else { c };
        if bounded.len() + c.len_utf8() > REASON_BYTES_MAX {
            break;
        }
        bounded.push(c);
    }
    bounded
}

#[cfg(test)]
mod tests;
