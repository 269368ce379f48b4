//! An incident as Markdown, for a ticket or a mail.

use std::fmt::Write as _;

use andon_emit::siem::technique;
use andon_emit::terminal::printable;
use andon_schemas::incident::IncidentState;
use andon_schemas::time::PlantClock;

use super::story::Story;
use crate::text::plant_moment;

/// Text that means nothing to a reader of Markdown.
fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in printable(text).chars() {
        if "\\`*_{}[]<>#|!".contains(c) {
            safe.push('\\');
        }
        safe.push(c);
    }
    safe
}

/// The whole of it.
pub(super) fn markdown(story: &Story, clock: &PlantClock) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _written = write(&mut text, story, clock).is_ok();
    text
}

fn write(out: &mut String, story: &Story, clock: &PlantClock) -> std::fmt::Result {
    let incident = &story.incident;
    let at = |at| plant_moment(clock, at);
    writeln!(out, "# Incident {}\n", plain(&incident.incident_id))?;
    writeln!(
        out,
        "**{}** {}\n",
        incident.grade,
        plain(&incident.sentence)
    )?;
    let over = match (incident.state, incident.over) {
        (IncidentState::Over, Some(over)) => format!("over since {}", at(over)),
        _ => "open".to_owned(),
    };
    writeln!(out, "- site: {}", plain(&incident.site))?;
    writeln!(
        out,
        "- from {} to {} plant time, {over}",
        at(incident.began),
        at(incident.last)
    )?;
    writeln!(out, "- segments: {}", plain(&incident.segments.join(", ")))?;
    if !incident.destinations.is_empty() {
        let named = plain(&incident.destinations.join(", "));
        writeln!(out, "- destinations and attackers: {named}")?;
    }
    for (device, counted) in &story.advisories {
        let counted = plain(&counted.words());
        writeln!(
            out,
            "- known vulnerabilities of {}: {counted}",
            plain(device.as_str())
        )?;
    }
    if let Some(judged) = &incident.judged {
        writeln!(
            out,
            "- judged {} by {}: {}",
            judged.judgement.as_str().replace('_', " "),
            plain(&judged.by),
            plain(&judged.note)
        )?;
    }
    what_was_broken(out, story)?;
    writeln!(out, "\n## What happened\n")?;
    for moment in &story.timeline {
        let by = moment.by.as_ref();
        let by = by.map_or_else(String::new, |by| format!(" ({})", plain(by)));
        let device = plain(&moment.device);
        let what = plain(&moment.what);
        writeln!(out, "- {} {device}{by}: {what}", at(moment.at))?;
    }
    if story.left_out > 0 {
        writeln!(
            out,
            "\n{} lines of the middle are left out.",
            story.left_out
        )?;
    }
    what_next(out, story)?;
    evidence(out, story)
}

fn what_was_broken(out: &mut String, story: &Story) -> std::fmt::Result {
    writeln!(out, "\n## Which baseline it broke\n")?;
    for verdict in &story.verdicts {
        writeln!(
            out,
            "### {}, {} ({})\n",
            plain(verdict.device_id.as_str()),
            plain(&verdict.device_type),
            verdict.grade
        )?;
        let profile = &verdict.profile;
        writeln!(
            out,
            "Profile {} {}, SHA-256 {}.\n",
            plain(&profile.name),
            plain(&profile.version),
            plain(&profile.hash)
        )?;
        for finding in &verdict.findings {
            writeln!(
                out,
                "- `{}`: {}",
                finding.detector.replace('`', "'"),
                plain(&finding.sentence)
            )?;
            writeln!(
                out,
                "  - expected: {}",
                plain(&finding.expected.to_string())
            )?;
            writeln!(out, "  - seen: {}", plain(&finding.observed.to_string()))?;
        }
        writeln!(out)?;
    }
    let techniques = &story.incident.techniques;
    if !techniques.is_empty() {
        writeln!(out, "ATT&CK for ICS:\n")?;
        for id in techniques {
            let name = technique(id).map_or("", |technique| technique.name);
            writeln!(out, "- {} {name}", plain(id))?;
        }
    }
    Ok(())
}

fn what_next(out: &mut String, story: &Story) -> std::fmt::Result {
    writeln!(out, "\n## What was done, and what to do\n")?;
    for order in &story.commands {
        let response = &order.command.response;
        writeln!(
            out,
            "- {} of {}, {} mode: **{}** {}",
            response.action,
            plain(order.command.device_id.as_str()),
            response.mode,
            order.state,
            plain(&order.note)
        )?;
    }
    for clears in story.clears() {
        writeln!(out, "- to end it: {}", plain(clears))?;
    }
    Ok(())
}

fn evidence(out: &mut String, story: &Story) -> std::fmt::Result {
    writeln!(out, "\n## Evidence\n")?;
    let Some(manifest) = &story.evidence else {
        return writeln!(
            out,
            "No records were kept: that is done by live runs. The verdicts name the positions of \
             the records that proved them."
        );
    };
    writeln!(out, "| file | records | from | to | SHA-256 |")?;
    writeln!(out, "|---|---:|---|---|---|")?;
    for file in &manifest.files {
        writeln!(
            out,
            "| {} | {} | {} | {} | {} |",
            plain(&file.file),
            file.rows,
            file.first,
            file.last,
            file.sha256
        )?;
    }
    if manifest.beyond > 0 {
        let beyond = manifest.beyond;
        writeln!(
            out,
            "\n{beyond} records more were not kept: there were too many."
        )?;
    }
    if manifest.deleted > 0 {
        let deleted = manifest.deleted;
        writeln!(
            out,
            "\n{deleted} records of the topic, maybe of others, were deleted before they could be \
             kept."
        )?;
    }
    Ok(())
}
