//! `andon enforce`: an enforcement point on a gateway. See [`crate::enforce`] for what is promised.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

use andon_schemas::act::{Ack, AckResult};
use andon_schemas::command::{DeviceCommand, Mode};
use andon_schemas::identity::DeviceId;
use andon_schemas::inventory::Inventory;
use andon_schemas::time::EventTime;
use anyhow::{Context as _, anyhow};
use serde_json::json;

use crate::args::{EnforceArgs, Format};
use crate::blueprint::Blueprint;
use crate::enforce::heard::{self, Heard};
use crate::enforce::live;
use crate::enforce::nft::Hands;
use crate::enforce::openc2;
use crate::enforce::point::{Point, Post};
use crate::enforce::shield::Shields;
use crate::exit::{Outcome, usage};
use crate::wall;

/// Runs the command.
///
/// # Errors
/// If the plant or the folder cannot be used, the address is none, or the kernel refuses what stood
/// before. A broker that is absent is no error: it is waited for.
pub fn run(args: &EnforceArgs, format: Format, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let (post, shields) = plant(args)?;
    match (&args.commands, &args.mqtt) {
        (Some(_), _) if !args.dry_run && !args.openc2 => Err(usage(anyhow!(
            "commands of a file are only looked at: add --dry-run"
        ))),
        (Some(path), _) => print(args, post, shields, path, format, out),
        (None, Some(address)) => live::run(args, address, (post, shields), format, out),
        (None, None) => Err(usage(anyhow!("name a broker with --mqtt"))),
    }
}

/// Who enforces what, and what has to be spared.
///
/// # Errors
/// Every problem of every file at once, or that the inventory lists no such enforcement point.
pub fn plant(args: &EnforceArgs) -> anyhow::Result<(Post, Shields)> {
    let plant = Blueprint::read(&args.plant, Mode::Enforce)?.compile()?;
    let post = post(args, plant.inventory())?;
    Ok((post, Shields::of(plant)))
}

fn post(args: &EnforceArgs, inventory: &Inventory) -> anyhow::Result<Post> {
    let listed = &inventory.enforcement.enforcers;
    let wanted = args.enforcer.as_ref().map(|name| name.to_lowercase());
    let found = match (&wanted, listed.as_slice()) {
        (Some(name), listed) => listed.iter().find(|enforcer| enforcer.id.as_str() == name),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    if let Some(enforcer) = found {
        return Ok(Post {
            enforcer: enforcer.id.to_string(),
            segments: enforcer.segments.clone(),
        });
    }
    let is_look = args.dry_run || args.openc2;
    if is_look && wanted.is_none() && listed.is_empty() {
        // To see what would be done, nobody has to be there to do it.
        return Ok(Post {
            enforcer: "dry-run".to_owned(),
            segments: (0..inventory.segments.len()).collect(),
        });
    }
    let names: Vec<&str> = listed.iter().map(|enforcer| enforcer.id.as_str()).collect();
    let known = match names.as_slice() {
        [] => "it lists none: write one under `enforcement:`, `enforcers:`".to_owned(),
        names => format!("it lists {}", names.join(", ")),
    };
    Err(usage(match wanted {
        Some(name) => anyhow!("the inventory lists no enforcement point `{name}`; {known}"),
        None => anyhow!("name the enforcement point with --enforcer; {known}"),
    }))
}

/// Prints the ruleset for the commands of a file, or each of them in `OpenC2`.
fn print(
    args: &EnforceArgs,
    post: Post,
    shields: Shields,
    path: &Path,
    format: Format,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let at = match &args.at {
        None => wall::now(),
        Some(text) => EventTime::parse(text).map_err(|error| usage(anyhow!(error)))?,
    };
    let site = shields.inventory().site.clone();
    let mut point = Point::new(post, shields, Hands::Paper(String::new()), None);
    point.restore(at)?;
    let mut left_out: Vec<String> = Vec::new();
    for (number, line) in lines(path)? {
        let line = line.with_context(|| format!("cannot read `{}`", path.display()))?;
        let place = format!("{}:{number}", path.display());
        match heard::line(&site, &line, at) {
            Heard::Command(device, command) => {
                let answer = if args.openc2 {
                    translate(&mut point, (&device, &command), at, out)?
                } else {
                    point.obey(&device, &command, at)
                };
                left_out.extend(answer.and_then(|ack| refused(&ack, device.as_str(), &place)));
            }
            Heard::Nothing => {}
            Heard::Unreadable(unreadable) => {
                tracing::warn!("{place}: {}", unreadable.reason);
                left_out.push(format!("{place}: {}", unreadable.reason));
            }
        }
    }
    if !args.openc2 {
        sum_up(&mut point, &left_out, format, out)?;
    }
    Ok(if left_out.is_empty() {
        Outcome::Done
    } else {
        Outcome::Failed
    })
}

fn sum_up(
    point: &mut Point<Hands>,
    left_out: &[String],
    format: Format,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let stand = point.orders().len();
    let script = match point.kernel() {
        Hands::Paper(script) => std::mem::take(script),
        Hands::Kernel(_) => String::new(),
    };
    let foreign = point.counts().foreign;
    match format {
        Format::Json => {
            let told = json!({
                "ruleset": script, "orders": stand, "left_out": left_out, "foreign": foreign,
            });
            writeln!(out, "{told}")?;
        }
        Format::Text => {
            let left = left_out.len();
            out.write_all(script.as_bytes())?;
            writeln!(
                out,
                "# {stand} orders stand, {left} lines left out, {foreign} about others"
            )?;
        }
    }
    Ok(())
}

/// Prints a command in `OpenC2`, one line for each that it is there.
fn translate(
    point: &mut Point<Hands>,
    (device, command): (&DeviceId, &DeviceCommand),
    at: EventTime,
    out: &mut impl Write,
) -> anyhow::Result<Option<Ack>> {
    let asset_id = point.enforcer().to_owned();
    let before = point
        .orders()
        .cut(device)
        .map(|cut| cut.shield.addresses.clone());
    let stood = point.orders().len();
    let answer = point.obey(device, command, at);
    let is_done = answer
        .as_ref()
        .is_some_and(|ack| ack.result == AckResult::Done);
    let told = match (before, point.orders().cut(device)) {
        (Some(addresses), _) if point.orders().len() < stood => {
            openc2::release(&addresses, command, &asset_id)
        }
        (_, Some(cut)) if is_done && command.expiry > at => openc2::order(&cut, command, &asset_id),
        _ => Vec::new(),
    };
    for command in told {
        writeln!(out, "{command}")?;
    }
    Ok(answer)
}

/// What is said of a command that is not carried out.
fn refused(ack: &Ack, device: &str, place: &str) -> Option<String> {
    let is_refused = ack.result == AckResult::Failed;
    is_refused.then(|| format!("{place}: {device}: {}", ack.detail))
}

/// The lines of a file that hold anything, or of standard input, with their numbers. What is no
/// UTF-8 is no JSON either, and is left out as such.
fn lines(path: &Path) -> anyhow::Result<impl Iterator<Item = (usize, io::Result<String>)>> {
    let reader: Box<dyn BufRead> = if path == Path::new("-") {
        Box::new(BufReader::new(io::stdin()))
    } else {
        let file = File::open(path)
            .with_context(|| format!("cannot read `{}`", path.display()))
            .map_err(usage)?;
        Box::new(BufReader::new(file))
    };
    let is_blank =
        |line: &io::Result<String>| line.as_ref().is_ok_and(|line| line.trim().is_empty());
    let texts = reader.split(b'\n').map(|line| {
        let line = line?;
        Ok(String::from_utf8_lossy(&line).into_owned())
    });
    let numbered = (1..).zip(texts);
    Ok(numbered.filter(move |(_, line)| !is_blank(line)))
}
