//! What a live run opens before it begins.

use andon_engine::Plant;
use andon_schemas::command::Mode;
use tokio::runtime::Runtime;

use crate::access::Operator;
use crate::blueprint::Blueprint;
use crate::config::Config;
use crate::live::source::proves_senders;
use crate::results::Results;
use crate::telling::{Measured, Teller};

/// Where what comes of it goes.
pub(super) fn results(config: &Config, plant: &Plant) -> anyhow::Result<Results> {
    let results = Results::go_on(&config.data)?;
    if proves_senders(&config.mqtt) {
        return Ok(results);
    }
    if config.mode == Mode::Enforce && !plant.inventory().enforcement.enforcers.is_empty() {
        tracing::warn!(
            "the inventory lists enforcers, and what they answer is not believed: say \
             `trusted_topics = true` under [mqtt] if the broker's rules bind topics to identities"
        );
    }
    Ok(results.unheard())
}

/// Gets ready whoever is told of the run, if anybody is, and the token of whoever is at the machine.
pub(super) fn audience(
    config: &Config,
    plant: &Plant,
    blueprint: &Blueprint,
    runtime: &Runtime,
) -> anyhow::Result<(Option<Operator>, Option<Teller>)> {
    let http = config.http.as_deref();
    let operator = http.map(|_| Operator::of(&config.data)).transpose()?;
    let mut access = config.access.clone();
    access.access.operator = operator.as_ref().map(|operator| operator.token.clone());
    let setup = config.setup(&access);
    let wanted = setup.is_wanted();
    let teller = wanted.then(|| Teller::open(&setup, Measured { plant, blueprint }, runtime));
    Ok((operator, teller.transpose()?))
}
