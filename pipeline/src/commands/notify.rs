//! `andon notify`: a test of the ways by which a run notifies people.

use std::io::Write;
use std::time::Duration;

use andon_emit::outlet::Ending;
use andon_schemas::notice::{NOTICE_SCHEMA, Notice};
use anyhow::{Context as _, anyhow};
use serde_json::json;

use super::tried::{tell, tried};
use crate::args::{Format, NotifyCommand};
use crate::exit::{Outcome, usage};
use crate::notify;
use crate::wall;

/// How long whoever tests a way waits for it. A run has the patience that mail servers may expect.
const TRIED_WITHIN: Duration = Duration::from_secs(60);

/// Runs the command.
///
/// # Errors
/// If the configuration cannot be used, or names nobody to notify.
pub fn run(
    command: &NotifyCommand,
    format: Format,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let NotifyCommand::Test(args) = command;
    let sections = notify::configured(&args.config)?;
    if sections.is_empty() {
        let path = args.config.display();
        return Err(usage(anyhow!("`{path}` has no section `[[notify]]`")));
    }
    let notice = notice()?;
    let mut outcome = Outcome::Done;
    for section in &sections {
        for (name, mut way) in section.ways().map_err(usage)? {
            way.heed(&Ending::after(TRIED_WITHIN));
            let tried = tried(&mut *way, &notice);
            tell(&name, &tried, format, out)?;
            if tried.is_err() {
                outcome = Outcome::Failed;
            }
        }
    }
    Ok(outcome)
}

/// A notice about nothing.
fn notice() -> anyhow::Result<Notice> {
    let now = wall::now();
    let made = serde_json::from_value(json!({
        "schema": NOTICE_SCHEMA, "command_id": format!("test-{}", now.micros()),
        "state": "released", "at": now, "site": "andon-test", "device_id": "andon-test",
        "action": "restrict", "mode": "monitor", "waits_for_a_person": false,
        "headline": "This is a test; nothing has happened",
        "text": "This is a test of the notices of Andon; nothing has happened, and nothing is to be \
                 done.",
        "stays_open": [],
    }));
    made.context("cannot make a notice")
}
