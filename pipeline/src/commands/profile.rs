//! `andon profile`: check, show and compare profiles; list the detectors.

use std::io::Write;
use std::path::PathBuf;

use andon_detectors::catalog::CATALOG;
use andon_schemas::inventory;
use andon_schemas::profile::{self, Profile, ProfileSet};
use anyhow::anyhow;
use serde_json::json;

use crate::args::{Format, ProfileCommand};
use crate::exit::{Outcome, usage};
use crate::setting;

/// Runs the command.
///
/// # Errors
/// If a file cannot be used, with everything that is wrong with it; or a name is not known.
pub fn run(
    command: &ProfileCommand,
    format: Format,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    match command {
        ProfileCommand::Check { paths, inventory } => {
            let profiles = setting::profiles(paths)?;
            let devices = match (inventory, paths.is_empty()) {
                (Some(path), _) => Some(setting::inventory(Some(path))?.devices.len()),
                (None, true) => Some(setting::inventory(None)?.devices.len()),
                (None, false) => None,
            };
            let names: Vec<&str> = profiles.iter().map(|p| p.name.as_str()).collect();
            match format {
                Format::Json => writeln!(
                    out,
                    "{}",
                    json!({ "profiles": names, "hash": profiles.hash(), "devices": devices })
                )?,
                Format::Text => {
                    writeln!(
                        out,
                        "{} profiles are in order: {}",
                        names.len(),
                        names.join(", ")
                    )?;
                    if let Some(devices) = devices {
                        writeln!(
                            out,
                            "the inventory is in order: {devices} devices and servers"
                        )?;
                    }
                }
            }
        }
        ProfileCommand::Show { name, profiles } => {
            let profiles = set(profiles.as_ref())?;
            let profile = find(&profiles, name)?;
            match format {
                Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(profile)?)?,
                Format::Text => write!(out, "{}", profile.to_yaml())?,
            }
        }
        ProfileCommand::Diff {
            left,
            right,
            profiles,
        } => {
            let profiles = set(profiles.as_ref())?;
            let differences = profile::diff(find(&profiles, left)?, find(&profiles, right)?);
            match format {
                Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(&differences)?)?,
                Format::Text if differences.is_empty() => {
                    writeln!(out, "`{left}` and `{right}` say the same")?;
                }
                Format::Text => {
                    for difference in differences {
                        writeln!(out, "{difference}")?;
                    }
                }
            }
        }
        ProfileCommand::Schema { inventory } => {
            let schema = if *inventory {
                inventory::json_schema()
            } else {
                profile::json_schema()
            };
            writeln!(out, "{}", serde_json::to_string_pretty(&schema)?)?;
        }
        ProfileCommand::Detectors => detectors(format, out)?,
    }
    Ok(Outcome::Done)
}

fn set(folder: Option<&PathBuf>) -> anyhow::Result<ProfileSet> {
    let folders: Vec<PathBuf> = folder.into_iter().cloned().collect();
    setting::profiles(&folders)
}

fn find<'a>(profiles: &'a ProfileSet, name: &str) -> anyhow::Result<&'a Profile> {
    profiles.get(name).ok_or_else(|| {
        let known: Vec<&str> = profiles.iter().map(|p| p.name.as_str()).collect();
        usage(anyhow!(
            "no profile is named `{name}`; there are {}",
            known.join(", ")
        ))
    })
}

fn detectors(format: Format, out: &mut impl Write) -> anyhow::Result<()> {
    for entry in CATALOG {
        match format {
            Format::Json => writeln!(
                out,
                "{}",
                json!({
                    "name": entry.name, "question": entry.question, "grade": entry.grade,
                    "plane": entry.plane, "reads": entry.reads, "cries_wolf": entry.cries_wolf,
                })
            )?,
            Format::Text => writeln!(
                out,
                "{:<20} {:<9} {}\n{:30} grade {}; reads {}; cries wolf: {}",
                entry.name,
                entry.plane,
                entry.question,
                "",
                entry.grade,
                entry.reads,
                entry.cries_wolf
            )?,
        }
    }
    Ok(())
}
