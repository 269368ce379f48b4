//! `andon act`: what people decide about commands and devices, handed to the run that carries it
//! out.

use std::io::Write;

use andon_emit::terminal::printable;
use andon_schemas::act::Acted;
use andon_schemas::order::{Order, OrderHistory};
use anyhow::{Context as _, anyhow};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::args::{ActCommand, AskedArgs, Format, ListArgs, SaidArgs, ShowArgs};
use crate::asking::{Asker, key, plain};
use crate::exit::{Outcome, usage};

/// Longest key of an act, bytes: with any name before it, a run takes it.
const KEY_BYTES_MAX: usize = 63;

/// Runs the command.
///
/// # Errors
/// If the run cannot be asked, or does not do it.
pub fn run(command: &ActCommand, format: Format, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let (asked, path, why, hours) = match command {
        ActCommand::List(args) => return list(args, format, out),
        ActCommand::Show(args) => return show(args, format, out),
        ActCommand::Approve(args) => {
            let path = of_command(&args.command, "approve")?;
            (&args.asked, path, &args.said, None)
        }
        ActCommand::Reject(args) => {
            let path = of_command(&args.command, "reject")?;
            (&args.asked, path, &args.said, None)
        }
        ActCommand::Release(args) => {
            let path = match (&args.command, &args.device) {
                (Some(command), _) => of_command(command, "release")?,
                (None, Some(device)) => of_device(device, "release")?,
                (None, None) => return Err(usage(anyhow!("which command, or which --device?"))),
            };
            (&args.asked, path, &args.said, None)
        }
        ActCommand::Quarantine(args) => {
            let path = of_device(&args.device, "quarantine")?;
            (&args.asked, path, &args.said, Some(args.hours))
        }
        ActCommand::Suppress(args) => {
            let path = of_device(&args.device, "suppress")?;
            (&args.asked, path, &args.said, Some(args.hours))
        }
    };
    act(asked, &path, why, hours, format, out)
}

/// A key as whoever asks gives it.
fn named(key: &str) -> anyhow::Result<&str> {
    let is_plain = key.bytes().all(|byte| byte.is_ascii_graphic());
    if is_plain && (1..=KEY_BYTES_MAX).contains(&key.len()) {
        return Ok(key);
    }
    Err(usage(anyhow!(
        "`--key {}` is not 1 to {KEY_BYTES_MAX} letters, digits and other visible characters",
        printable(key)
    )))
}

fn of_command(id: &str, what: &str) -> anyhow::Result<String> {
    Ok(format!("/v1/commands/{}/{what}", plain(id)?))
}

fn of_device(id: &str, what: &str) -> anyhow::Result<String> {
    Ok(format!("/v1/devices/{}/{what}", plain(id)?))
}

/// A page of commands.
#[derive(Deserialize)]
struct Page {
    commands: Vec<Order>,
    next: Option<String>,
}

fn list(args: &ListArgs, format: Format, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let asker = Asker::of(&args.asked)?;
    let device = args.device.as_deref().map(plain).transpose()?;
    let device = device.map_or_else(String::new, |id| format!("&device={id}"));
    let state = &args.state;
    let (mut orders, mut after) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/commands?state={state}&limit=500{device}{after}");
        let page: Page = understood(asker.get(&path)?)?;
        orders.extend(page.commands);
        match page.next {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    if format == Format::Json {
        for order in &orders {
            writeln!(out, "{}", serde_json::to_string(order)?)?;
        }
        return Ok(Outcome::Done);
    }
    if orders.is_empty() {
        writeln!(out, "none")?;
        return Ok(Outcome::Done);
    }
    writeln!(
        out,
        "{:<32}  {:<12}  {:<10}  {:<7}  {:<28}  since",
        "command", "state", "action", "mode", "device"
    )?;
    for order in &orders {
        let response = &order.command.response;
        writeln!(
            out,
            "{:<32}  {:<12}  {:<10}  {:<7}  {:<28}  {}",
            order.command.command_id,
            order.state,
            response.action,
            response.mode,
            order.command.device_id.as_str(),
            order.updated
        )?;
        writeln!(out, "    {}", printable(&order.command.reason))?;
    }
    Ok(Outcome::Done)
}

fn show(args: &ShowArgs, format: Format, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let asker = Asker::of(&args.asked)?;
    let found = asker.get(&format!("/v1/commands/{}", plain(&args.command)?))?;
    if format == Format::Json {
        writeln!(out, "{}", serde_json::to_string_pretty(&found)?)?;
        return Ok(Outcome::Done);
    }
    let OrderHistory { order, history } = understood(found)?;
    writeln!(out, "{}", line_of(&order))?;
    writeln!(out, "why      {}", printable(&order.command.reason))?;
    for exception in &order.command.response.exceptions {
        let transport = exception
            .transport
            .map_or("any", |transport| transport.as_str());
        let port = exception
            .port
            .map_or("any".to_owned(), |port| port.to_string());
        writeln!(out, "open     {}, {transport} port {port}", exception.peer)?;
    }
    if let Some(expires) = order.command.response.expires {
        writeln!(out, "lapses   {expires}")?;
    }
    for step in history {
        let by = step
            .by
            .map_or_else(String::new, |by| format!(" by {}", printable(&by)));
        writeln!(
            out,
            "{}  {}{by}  {}",
            step.at,
            step.state,
            printable(&step.reason)
        )?;
    }
    Ok(Outcome::Done)
}

fn act(
    args: &AskedArgs,
    path: &str,
    why: &SaidArgs,
    hours: Option<u32>,
    format: Format,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let key = match &why.key {
        Some(key) => named(key)?.to_owned(),
        None => key()?,
    };
    let mut said = json!({ "reason": why.reason });
    if let Some(hours) = hours {
        said["hours"] = json!(hours);
    }
    let came = Asker::of(args)?.post(path, &key, &said)?;
    if format == Format::Json {
        writeln!(out, "{}", serde_json::to_string_pretty(&came)?)?;
        return Ok(Outcome::Done);
    }
    match understood(came)? {
        Acted::Order(order) => writeln!(out, "{}", line_of(&order))?,
        Acted::Incident(incident) => writeln!(out, "{}", printable(&incident.sentence))?,
        Acted::Suppressed {
            device,
            suppressed_until,
        } => writeln!(
            out,
            "commands and alerts about {device} are held back until {suppressed_until}"
        )?,
    }
    Ok(Outcome::Done)
}

fn line_of(order: &Order) -> String {
    let response = &order.command.response;
    let note = if order.note.is_empty() {
        String::new()
    } else {
        format!(": {}", printable(&order.note))
    };
    format!(
        "{} of {} ({}), {}{note}",
        response.action, order.command.device_id, response.mode, order.state
    )
}

fn understood<T: DeserializeOwned>(answer: Value) -> anyhow::Result<T> {
    serde_json::from_value(answer).context("the run answers something else than was expected")
}
