//! The decision point in a run: questions over HTTP, answered from the risk that is known now.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use andon_console::{Decided, DecisionMetrics, DecisionPoint, RiskFeed};
use andon_schemas::inventory::Inventory;
use andon_schemas::profile::ProfileSet;
use andon_schemas::time::{EventTime, Span};
use serde_json::Value;

use super::audit::{Audit, Entry};
use super::{Answer, Decider, Known, Policies, Question};
use crate::wall;

/// How long a risk that is known now counts, in the answers.
const KNOWN_FOR: Span = Span::from_secs(60);

/// Answers questions from the risk that is known now.
#[derive(Debug)]
pub struct Point {
    policies: Policies,
    decider: RwLock<Arc<Decider>>,
    feed: RiskFeed,
    audit: Option<Audit>,
    metrics: DecisionMetrics,
    /// Plant time is wall time.
    real_time: bool,
    /// Names this process.
    boot: String,
    number: AtomicU64,
}

/// What a point is made of.
#[derive(Debug)]
pub struct Parts {
    /// By what it decides.
    pub policies: Policies,
    /// What it knows.
    pub feed: RiskFeed,
    /// What it writes down.
    pub audit: Option<Audit>,
    /// What it counts.
    pub metrics: DecisionMetrics,
    /// Plant time is wall time.
    pub real_time: bool,
    /// Names this process.
    pub boot: String,
}

impl Point {
    /// One that decides about the devices of an inventory.
    ///
    /// # Errors
    /// What is wrong with the policies.
    pub fn new(parts: Parts, inventory: &Inventory, profiles: &ProfileSet) -> anyhow::Result<Self> {
        let decider = Decider::new(&parts.policies, inventory.clone(), profiles)?;
        Ok(Self {
            policies: parts.policies,
            decider: RwLock::new(Arc::new(decider)),
            feed: parts.feed,
            audit: parts.audit,
            metrics: parts.metrics,
            real_time: parts.real_time,
            boot: parts.boot,
            number: AtomicU64::new(1),
        })
    }

    /// It decides about other devices from now on.
    ///
    /// # Errors
    /// What is wrong with the policies.
    pub fn change(&self, inventory: &Inventory, profiles: &ProfileSet) -> anyhow::Result<()> {
        let decider = Decider::new(&self.policies, inventory.clone(), profiles)?;
        *self.decider.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(decider);
        Ok(())
    }

    fn decider(&self) -> Arc<Decider> {
        Arc::clone(&self.decider.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn now(&self) -> EventTime {
        let newest = self.feed.newest().filter(|_| !self.real_time);
        newest.unwrap_or_else(wall::now)
    }
}

impl DecisionPoint for Point {
    fn decide(&self, who: &str, question: Value) -> Result<Decided, String> {
        let began = Instant::now();
        let now = self.now();
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let id = format!("{}-decision-{number}", self.boot);
        let decider = self.decider();
        let asked = Question::of(question.clone());
        let answer = match &asked {
            Ok(asked) => {
                let risk = asked.device().and_then(|device| self.feed.known(device));
                let known = risk.map(|risk| Known::until(risk, now + KNOWN_FOR));
                decider.answer(asked, known.as_ref(), now)
            }
            Err(reason) => Answer::denial(reason.clone()),
        };
        let took = began.elapsed();
        self.metrics.decided(answer.decision.as_str(), took);
        if let Some(audit) = &self.audit {
            let entry = Entry {
                id: Some(&id),
                who: Some(who),
                time: now,
                question,
                answer: &answer,
                policy: &decider.policy_hash,
                took,
            };
            audit.take(entry.line())?;
        }
        let answer = serde_json::to_value(&answer).map_err(|error| error.to_string())?;
        Ok(Decided { id, answer })
    }
}
