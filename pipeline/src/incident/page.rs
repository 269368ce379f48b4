//! An incident as a page that stands by itself: nothing is fetched, it prints, it is light or dark.

use std::fmt::Write as _;

use andon_emit::siem::technique;
use andon_lab::report::escaped;
use andon_schemas::incident::IncidentState;
use andon_schemas::time::PlantClock;
use serde_json::Value;

use super::story::Story;
use crate::text::plant_moment as moment;

const STYLE: &str = include_str!("page.css");

/// The whole of it.
pub(super) fn page(story: &Story, clock: &PlantClock) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _written = write(&mut text, story, clock).is_ok();
    text
}

fn write(out: &mut String, story: &Story, clock: &PlantClock) -> std::fmt::Result {
    let incident = &story.incident;
    let id = escaped(&incident.incident_id);
    write!(
        out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>Incident {id}</title><style>{STYLE}</style></head><body><main>\n"
    )?;
    let grade = incident.grade;
    writeln!(
        out,
        "<header><p class=\"grade {}\">{grade}</p><h1>{}</h1></header>",
        grade.as_str().to_lowercase(),
        escaped(&incident.sentence)
    )?;
    facts(out, story, clock)?;
    timeline(out, story, clock)?;
    baseline(out, story)?;
    commands(out, story)?;
    evidence(out, story)?;
    writeln!(out, "</main></body></html>")
}

fn fact(out: &mut String, name: &str, what: &str) -> std::fmt::Result {
    if what.is_empty() {
        return Ok(());
    }
    write!(out, "<dt>{name}</dt><dd>{}</dd>", escaped(what))
}

fn facts(out: &mut String, story: &Story, clock: &PlantClock) -> std::fmt::Result {
    let incident = &story.incident;
    let state = match (incident.state, incident.over) {
        (IncidentState::Over, Some(over)) => format!("over since {}", moment(clock, over)),
        _ => "open".to_owned(),
    };
    write!(out, "<dl>")?;
    fact(out, "Incident", &incident.incident_id)?;
    fact(out, "Site", &incident.site)?;
    fact(out, "State", &state)?;
    let (began, last) = (moment(clock, incident.began), moment(clock, incident.last));
    fact(out, "From, to", &format!("{began} – {last}, plant time"))?;
    let devices: Vec<&str> = incident.devices().iter().map(|id| id.as_str()).collect();
    fact(out, "Devices", &devices.join(", "))?;
    fact(out, "Segments", &incident.segments.join(", "))?;
    let destinations = incident.destinations.join(", ");
    fact(out, "Destinations, attackers", &destinations)?;
    let techniques = incident.techniques.iter().map(|id| match technique(id) {
        Some(technique) => format!("{id} {}", technique.name),
        None => id.clone(),
    });
    let techniques: Vec<String> = techniques.collect();
    fact(out, "ATT&amp;CK for ICS", &techniques.join(", "))?;
    for (device, counted) in &story.advisories {
        fact(
            out,
            "Known vulnerabilities",
            &format!("{device}, {}", counted.words()),
        )?;
    }
    if let Some(judged) = &incident.judged {
        let judgement = judged.judgement.as_str().replace('_', " ");
        let (by, note) = (&judged.by, &judged.note);
        fact(out, "Judged", &format!("{judgement}, by {by}: {note}"))?;
    }
    writeln!(out, "</dl>")
}

fn timeline(out: &mut String, story: &Story, clock: &PlantClock) -> std::fmt::Result {
    write!(
        out,
        "<h2>What happened</h2><table class=\"timeline\"><tbody>"
    )?;
    for step in &story.timeline {
        let by = step.by.as_deref().unwrap_or_default();
        write!(
            out,
            "<tr class=\"{}\"><td class=\"when\">{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            step.kind,
            moment(clock, step.at),
            escaped(&step.device),
            escaped(by),
            escaped(&step.what)
        )?;
    }
    writeln!(out, "</tbody></table>")?;
    if story.left_out > 0 {
        writeln!(
            out,
            "<p>{} lines of the middle are left out.</p>",
            story.left_out
        )?;
    }
    Ok(())
}

fn baseline(out: &mut String, story: &Story) -> std::fmt::Result {
    write!(out, "<h2>Which baseline it broke</h2>")?;
    for verdict in &story.verdicts {
        let profile = &verdict.profile;
        write!(
            out,
            "<section><h3>{} <small>{}</small> <span class=\"grade {}\">{}</span></h3>\
             <p class=\"quiet\">profile {} {}, SHA-256 <code>{}</code></p><table class=\"findings\">\
             <thead><tr><th>found by</th><th>what</th><th>expected</th><th>seen</th></tr></thead>\
             <tbody>",
            escaped(verdict.device_id.as_str()),
            escaped(&verdict.device_type),
            verdict.grade.as_str().to_lowercase(),
            verdict.grade,
            escaped(&profile.name),
            escaped(&profile.version),
            escaped(&profile.hash)
        )?;
        for finding in &verdict.findings {
            write!(
                out,
                "<tr><td><code>{}</code></td><td>{}</td><td>{}</td><td>{}</td></tr>",
                escaped(&finding.detector),
                escaped(&finding.sentence),
                values(&finding.expected),
                values(&finding.observed)
            )?;
        }
        write!(out, "</tbody></table></section>")?;
    }
    writeln!(out)
}

/// A small object, one member to a line.
fn values(value: &Value) -> String {
    let Value::Object(members) = value else {
        return escaped(&value.to_string());
    };
    let known = members.iter().filter(|(_, value)| !value.is_null());
    let lines = known.map(|(name, value)| {
        let value = words(value);
        format!("<span>{}: {}</span>", escaped(name), escaped(&value))
    });
    lines.collect::<Vec<_>>().join("<br>")
}

/// A value as people read it.
fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(all) if all.is_empty() => "none".to_owned(),
        Value::Array(all) => all.iter().map(words).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn commands(out: &mut String, story: &Story) -> std::fmt::Result {
    write!(out, "<h2>What was done, and what to do</h2>")?;
    if !story.commands.is_empty() {
        write!(
            out,
            "<table><thead><tr><th>device</th><th>action</th><th>mode</th><th>state</th>\
             <th>note</th></tr></thead><tbody>"
        )?;
        for order in &story.commands {
            let response = &order.command.response;
            write!(
                out,
                "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                escaped(order.command.device_id.as_str()),
                response.action,
                response.mode,
                order.state,
                escaped(&order.note)
            )?;
        }
        write!(out, "</tbody></table>")?;
    }
    let told = story.clears();
    if !told.is_empty() {
        write!(out, "<p>To end it:</p><ul>")?;
        for clears in told {
            write!(out, "<li>{}</li>", escaped(clears))?;
        }
        write!(out, "</ul>")?;
    }
    writeln!(out)
}

fn evidence(out: &mut String, story: &Story) -> std::fmt::Result {
    write!(out, "<h2>Evidence</h2>")?;
    let Some(manifest) = &story.evidence else {
        return writeln!(
            out,
            "<p>No records were kept: that is done by live runs. The verdicts name the positions \
             of the records that proved them.</p>"
        );
    };
    write!(
        out,
        "<table><thead><tr><th>file</th><th class=\"number\">records</th><th>from</th><th>to</th>\
         <th>SHA-256</th></tr></thead><tbody>"
    )?;
    for file in &manifest.files {
        write!(
            out,
            "<tr><td>{}</td><td class=\"number\">{}</td><td>{}</td><td>{}</td>\
             <td><code>{}</code></td></tr>",
            escaped(&file.file),
            file.rows,
            file.first,
            file.last,
            escaped(&file.sha256)
        )?;
    }
    write!(out, "</tbody></table>")?;
    if manifest.beyond > 0 {
        let beyond = manifest.beyond;
        write!(
            out,
            "<p>{beyond} records more were not kept: there were too many.</p>"
        )?;
    }
    if manifest.deleted > 0 {
        let deleted = manifest.deleted;
        write!(
            out,
            "<p>{deleted} records of the topic, maybe of others, were deleted before they could be \
             kept.</p>"
        )?;
    }
    writeln!(out)
}
