//! What a run does for decision points: it decides itself, it tells a policy engine what it knows,
//! and it offers the same to those who fetch. One place for every kind of run.

use std::path::Path;
use std::sync::Arc;

use andon_console::{Board, DecisionPoint, Health, Metrics, Offers, RiskFeed, Transmitter};
use andon_engine::Plant;
use andon_schemas::profile::ProfileSet;
use anyhow::{Context as _, anyhow};

use crate::blueprint::Blueprint;
use crate::pdp::{Audit, Parts, Point, document};
use crate::{access, opa, pdp, ssf};

/// What is done for decision points.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// What policy engines are told.
    pub opa: opa::settings::Settings,
    /// What is decided here.
    pub pdp: Option<pdp::settings::Settings>,
    /// Who is told of signals.
    pub ssf: Option<ssf::settings::Settings>,
}

impl Settings {
    /// Everything that needs no configuration, and a policy engine at `push`, if there is one.
    ///
    /// # Errors
    /// If that is no address.
    pub fn of_demo(push: Option<&str>, out: Option<&Path>) -> anyhow::Result<Self> {
        Ok(Self {
            opa: opa::settings::Settings::of_demo(push)?,
            pdp: Some(pdp::settings::Settings::of_demo(out)?),
            ssf: None,
        })
    }

    /// Whether what is configured can be served as it is configured.
    ///
    /// # Errors
    /// Names the section that needs more.
    pub fn check(&self, http: Option<&str>, access: &access::Settings) -> anyhow::Result<()> {
        let served = [
            ("[opa.bundle]", self.opa.bundle.is_some()),
            ("[pdp]", self.pdp.is_some()),
            ("[ssf]", self.ssf.is_some()),
        ];
        let served = served.iter().find(|(_, is_there)| *is_there);
        match (served, http) {
            (Some((section, _)), None) => Err(anyhow!(
                "{section}: nobody can ask: it needs `http`, an address to be served on"
            )),
            (Some((section, _)), Some(_)) if access.health_only => Err(anyhow!(
                "{section}: nobody can ask: access.health_only is set"
            )),
            _ => Ok(()),
        }
    }

    /// Whether something is done that needs no server.
    pub fn is_pushing(&self) -> bool {
        self.opa.push.is_some()
    }

    /// Whether anything is done.
    fn is_empty(&self) -> bool {
        self.opa.is_empty() && self.pdp.is_none() && self.ssf.is_none()
    }
}

/// How a run is told by.
#[derive(Clone, Copy, Debug)]
pub struct Setup<'a> {
    /// Where the board is served, if it is.
    pub http: Option<&'a str>,
    /// To whom.
    pub access: &'a access::Settings,
    /// What is done for decision points.
    pub decisions: &'a Settings,
    /// Plant time is wall time.
    pub real_time: bool,
}

impl Setup<'_> {
    /// Whether anybody is told.
    pub fn is_wanted(&self) -> bool {
        self.http.is_some() || self.decisions.is_pushing()
    }
}

/// What a run measures against.
#[derive(Clone, Copy, Debug)]
pub struct Measured<'a> {
    /// Compiled.
    pub plant: &'a Plant,
    /// As it is written.
    pub blueprint: &'a Blueprint,
}

/// What a run does for decision points, while it does.
#[derive(Debug, Default)]
pub struct Decisions {
    /// The board, if anybody reads the plant from it.
    board: Option<Board>,
    point: Option<Arc<Point>>,
    transmitter: Option<Arc<Transmitter>>,
    push: Option<opa::Push>,
    sender: Option<ssf::Sender>,
}

impl Decisions {
    /// Gets everything ready; nobody is told anything before [`Decisions::begin`].
    ///
    /// # Errors
    /// What is wrong with the policies.
    pub fn prepare(
        setup: &Setup<'_>,
        board: &Board,
        health: &Health,
        metrics: &Metrics,
        measured: Measured<'_>,
    ) -> anyhow::Result<Self> {
        let settings = setup.decisions;
        if settings.is_empty() {
            return Ok(Self::default());
        }
        let profiles = measured.blueprint.profiles()?;
        let inventory = measured.plant.inventory();
        let point = settings.pdp.as_ref().map(|pdp| {
            let parts = Parts {
                policies: pdp.policies()?,
                feed: RiskFeed::new(board.clone(), health.clone()),
                audit: pdp.audit.as_ref().map(Audit::start).transpose()?,
                metrics: metrics.decisions().clone(),
                real_time: setup.real_time,
                boot: board.boot().to_owned(),
            };
            Point::new(parts, inventory, &profiles).map(Arc::new)
        });
        let transmitter = settings.ssf.as_ref().map(|ssf| {
            let feed = RiskFeed::new(board.clone(), health.clone());
            let opened = Transmitter::open(ssf.options.clone(), feed);
            anyhow::Ok(Arc::new(opened.context("ssf")?))
        });
        let decisions = Self {
            board: (!settings.opa.is_empty()).then(|| board.clone()),
            point: point.transpose()?,
            transmitter: transmitter.transpose()?,
            push: None,
            sender: None,
        };
        decisions.describe(measured.plant, &profiles);
        Ok(decisions)
    }

    /// What the server offers of it.
    pub fn offers(&self, settings: &Settings) -> Offers {
        let point = self.point.as_ref();
        Offers {
            bundles: settings.opa.bundle.clone(),
            decisions: point.map(|point| Arc::clone(point) as Arc<dyn DecisionPoint>),
            signals: self.transmitter.clone(),
        }
    }

    /// Begins to tell.
    ///
    /// # Errors
    /// If an address or a file of it cannot be used.
    pub fn begin(
        &mut self,
        settings: &Settings,
        board: &Board,
        health: &Health,
        metrics: &Metrics,
    ) -> anyhow::Result<()> {
        let feed = || RiskFeed::new(board.clone(), health.clone());
        let push = settings.opa.push.as_ref();
        let push = push.map(|push| opa::Push::start(push, feed(), metrics.decisions().clone()));
        self.push = push.transpose()?;
        if let (Some(ssf), Some(transmitter)) = (&settings.ssf, &self.transmitter) {
            let (transmitter, metrics) = (Arc::clone(transmitter), metrics.decisions().clone());
            self.sender = Some(ssf::Sender::start(ssf, transmitter, &feed(), metrics)?);
        }
        Ok(())
    }

    /// The plant is another from here on.
    pub fn change(&self, measured: Measured<'_>) {
        if self.board.is_none() && self.point.is_none() {
            return;
        }
        let changed = measured.blueprint.profiles().and_then(|profiles| {
            self.describe(measured.plant, &profiles);
            match &self.point {
                None => Ok(()),
                Some(point) => point.change(measured.plant.inventory(), &profiles),
            }
        });
        if let Err(error) = changed {
            // It compiled a moment ago.
            tracing::error!("decisions go on by the plant of before: {error:#}");
        }
    }

    fn describe(&self, plant: &Plant, profiles: &ProfileSet) {
        if let Some(board) = &self.board {
            let document = document(plant.inventory(), |name| profiles.get(name));
            board.describe(document.to_string());
        }
    }
}
