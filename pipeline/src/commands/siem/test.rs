//! `andon siem test`: one verdict that says it is a test, through every outlet.

use std::io::Write;

use andon_schemas::verdict::Verdict;
use anyhow::{Context as _, anyhow};
use serde_json::json;

use crate::args::{Format, SiemTestArgs};
use crate::commands::tried::{tell, tried};
use crate::exit::{Outcome, usage};
use crate::siem;
use crate::wall;

/// Runs the command.
///
/// # Errors
/// If the configuration cannot be used, or names no outlet.
pub(super) fn run(
    args: &SiemTestArgs,
    format: Format,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let outlets = siem::configured(&args.config)?;
    if outlets.is_empty() {
        let path = args.config.display();
        return Err(usage(anyhow!("`{path}` has no section `[[siem]]`")));
    }
    let mut all_well = true;
    for outlet in &outlets {
        let name = &outlet.options.name;
        let mut way = outlet.way().map_err(usage)?;
        let tried = tried(&mut *way, &verdict(name)?);
        all_well &= tried.is_ok();
        tell(name, &tried, format, out)?;
    }
    Ok(if all_well {
        Outcome::Done
    } else {
        Outcome::Failed
    })
}

/// A verdict about nothing; it opens no episode, as its first revision clears it.
fn verdict(outlet: &str) -> anyhow::Result<Verdict> {
    let now = wall::now();
    let made = serde_json::from_value(json!({
        "schema": "andon.verdict.v1", "verdict_id": format!("test-{}", now.micros()),
        "revision": 1, "state": "cleared", "device_id": "andon-test", "device_type": "",
        "segment": "", "risk_class": null, "site": "andon-test", "event_time": now,
        "window": { "start": now, "end": now }, "grade": "LOW",
        "confidence": { "basis": "policy", "n": 0 },
        "risk": { "score": 0, "trust": 100, "band": "low" },
        "sentence": format!("This is a test of the outlet {outlet}; nothing has happened."),
        "findings": [],
        "response": {
            "action": "log", "mode": "monitor", "scope": [], "exceptions": [], "expires": null,
            "approval": "automatic", "note": "", "notify": [],
        },
        "profile": { "name": "", "version": "", "hash": "" },
    }));
    made.context("cannot make a verdict")
}
