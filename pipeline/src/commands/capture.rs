//! `andon capture convert`: captures of any format as one of ours. Positions, receive times and
//! rejects come along, so that verdicts on the copy name the rows of the original.

use std::io::Write;
use std::path::{Path, PathBuf};

use andon_ingest::files::{self, CaptureWriter, Item, OpenOptions};
use andon_schemas::time::EventTime;
use anyhow::{Context as _, anyhow};

use super::unread;
use crate::args::{CaptureCommand, ConvertArgs, Format};
use crate::exit::{Outcome, usage};
use crate::progress::Progress;
use crate::text::count;

/// Items taken from the captures at a time.
const CHUNK: usize = 16_384;

/// What was written.
#[derive(Debug, Default, serde::Serialize)]
struct Written {
    records: u64,
    rejects: u64,
    /// Records outside the times that were asked for.
    left_out: u64,
}

/// Runs the command.
///
/// # Errors
/// If a capture cannot be read, or the copy cannot be written: then there is none.
pub fn run(
    command: &CaptureCommand,
    format: Format,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let CaptureCommand::Convert(args) = command;
    let partial = partial(&args.out)?;
    let written = convert(args, &partial);
    if written.is_err() {
        // Nothing half-written is left; that it could not be removed is not what went wrong.
        std::fs::remove_file(&partial).ok();
    }
    let (written, files) = written?;
    std::fs::rename(&partial, &args.out)
        .with_context(|| format!("cannot write `{}`", args.out.display()))?;
    match format {
        Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(&written)?)?,
        Format::Text => {
            writeln!(
                out,
                "{} records and {} rejects in {}",
                count(written.records),
                count(written.rejects),
                args.out.display()
            )?;
            if written.left_out > 0 {
                let left = count(written.left_out);
                writeln!(out, "{left} records lay outside the times asked for")?;
            }
            unread::tell(&files, out)?;
        }
    }
    unread::check(&files)?;
    Ok(Outcome::Done)
}

/// A name beside the copy's, with its extension, which says the format.
fn partial(path: &Path) -> anyhow::Result<PathBuf> {
    let name = path
        .file_name()
        .ok_or_else(|| usage(anyhow!("`{}` names no file", path.display())))?;
    let mut partial = std::ffi::OsString::from(".partial-");
    partial.push(name);
    Ok(path.with_file_name(partial))
}

fn convert(args: &ConvertArgs, to: &Path) -> anyhow::Result<(Written, Vec<files::FileReport>)> {
    let time = |text: &Option<String>| {
        let read = text.as_deref().map(EventTime::parse);
        read.transpose().map_err(|e| usage(anyhow!(e)))
    };
    let as_of = time(&args.as_of)?.unwrap_or_else(crate::wall::now);
    let from = time(&args.from)?.unwrap_or(EventTime::MIN);
    let until = time(&args.until)?.unwrap_or(EventTime::MAX);
    let mapping = super::mapping(args.mapping.as_deref())?;
    let options = OpenOptions::as_of(as_of).with_mapping(mapping);
    let mut captures = files::open(&args.captures, options).map_err(usage)?;
    let mut writer = CaptureWriter::create(to).map_err(usage)?;
    let progress = Progress::new("records");
    let mut written = Written::default();
    loop {
        let items = captures.next_batch(CHUNK).map_err(usage)?;
        if items.is_empty() {
            break;
        }
        for item in items {
            match item {
                Item::Record { record, source } => {
                    if record.event_time < from || record.event_time >= until {
                        written.left_out += 1;
                        continue;
                    }
                    writer.record(&record, Some(&source))?;
                    written.records += 1;
                }
                Item::Reject(reject) => {
                    writer.reject(&reject)?;
                    written.rejects += 1;
                }
                Item::Tick(at) => writer.tick(at)?,
                Item::Control { control, .. } => writer.control(&control)?,
            }
        }
        progress.set(written.records);
    }
    progress.done();
    writer.finish()?;
    Ok((written, captures.files().to_vec()))
}
