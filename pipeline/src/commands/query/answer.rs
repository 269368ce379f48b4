//! What is asked of which files, and where the answer goes.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use andon_engine::Plant;
use andon_ingest::files::{self, OpenOptions, Order};
use andon_lab::query::{Answer, Desk, Form, QueryError, READY, Sources, ready};
use andon_lab::whole_file;
use andon_schemas::command::Mode;
use andon_schemas::time::EventTime;
use anyhow::{Context as _, anyhow};

use crate::args::{Format, QueryArgs};
use crate::blueprint::{Blueprint, Named};
use crate::exit::{Outcome, usage};

/// Where a run keeps its data, unless told otherwise.
const DATA: &str = "andon-data";

pub(super) fn run(
    args: &QueryArgs,
    format: Format,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    if args.list {
        list(format, out)?;
        return Ok(Outcome::Done);
    }
    let sql = statement(args)?;
    let written = args.out.as_deref().map(kind_of).transpose()?;
    let desk = Desk::open(&sources(args)?).map_err(refused)?;
    let Some(sql) = sql else {
        tables(&desk, format, out)?;
        return Ok(Outcome::Done);
    };
    if let (Some(path), Some(written)) = (&args.out, written) {
        let rows = write(&desk, sql, path, written)?;
        match format {
            Format::Text => writeln!(out, "{} in {}", rows_words(rows), path.display())?,
            Format::Json => writeln!(out, "{}", serde_json::json!({ "rows": rows }))?,
        }
    } else {
        let form = match format {
            _ if args.csv => Form::Csv,
            Format::Text => Form::Table,
            Format::Json => Form::Json,
        };
        let rows = desk.ask(sql, Answer::new(form, out)).map_err(refused)?;
        if form == Form::Table {
            writeln!(out, "\n{}", rows_words(rows))?;
        }
    }
    for (file, count, what) in desk.passed_over() {
        tracing::warn!("`{file}`: {count} {what} and were passed over");
    }
    Ok(Outcome::Done)
}

fn rows_words(rows: u64) -> String {
    let noun = if rows == 1 { "row" } else { "rows" };
    format!("{} {noun}", crate::text::count(rows))
}

/// The statement that is asked; none if the tables are.
fn statement(args: &QueryArgs) -> anyhow::Result<Option<&str>> {
    let Some(name) = &args.named else {
        return Ok(args.sql.as_deref());
    };
    let query = ready(name).ok_or_else(|| {
        let names: Vec<_> = READY.iter().map(|query| query.name).collect();
        usage(anyhow!(
            "no question is named `{name}`. There are: {}.",
            names.join(", ")
        ))
    })?;
    Ok(Some(query.sql))
}

fn sources(args: &QueryArgs) -> anyhow::Result<Sources> {
    if args.capture.iter().any(|path| path == Path::new("-")) {
        return Err(usage(anyhow!(
            "a query may read captures several times, which standard input is not: name a file"
        )));
    }
    let as_of = match &args.as_of {
        Some(text) => EventTime::parse(text).map_err(|e| usage(anyhow!(e)))?,
        None => crate::wall::now(),
    };
    let folder = match &args.data {
        Some(folder) => Some(folder.clone()),
        None => Some(PathBuf::from(DATA)).filter(|folder| folder.is_dir()),
    };
    let captures = match &folder {
        Some(folder) if args.capture.is_empty() => own_captures(folder)
            .with_context(|| format!("cannot read folder `{}`", folder.display()))
            .map_err(usage)?,
        _ => args.capture.clone(),
    };
    let mapping = super::super::mapping(args.mapping.as_deref())?;
    let options = OpenOptions::as_of(as_of).with_mapping(mapping.clone());
    if mapping.is_some() && !captures.is_empty() {
        // Looked at together, they say whether it is needed at all.
        files::open(&captures, options.clone()).map_err(usage)?;
    }
    let options = OpenOptions {
        is_mapping_spare: true,
        ..options
    };
    Ok(Sources {
        plant: plant(args, folder.as_deref(), &captures, options)?,
        folder,
        captures,
        mapping,
        as_of,
        memory_bytes: args.memory_mib.saturating_mul(1 << 20),
    })
}

/// The captures of our own formats that lie in a folder, but not the labels beside them.
fn own_captures(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_ours = [".parquet", ".ndjson", ".arrow", ".feather"]
            .iter()
            .any(|ending| name.ends_with(ending));
        let is_aside = name.starts_with('.') || name.ends_with(".labels.ndjson");
        if is_ours && !is_aside && path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// What is named, over what the folder keeps, over what is built in; nothing for captures whose
/// plant nobody described.
fn plant(
    args: &QueryArgs,
    folder: Option<&Path>,
    captures: &[PathBuf],
    options: OpenOptions,
) -> anyhow::Result<Option<Arc<Plant>>> {
    let kept = folder.map(Blueprint::newest).transpose()?.flatten();
    let blueprint = match kept {
        Some(kept) => {
            let read = Blueprint::read(&args.plant, Mode::Monitor)?;
            Named::of(&args.plant, &read).over(&kept)
        }
        None if args.plant.inventory.is_some() => Blueprint::read(&args.plant, Mode::Monitor)?,
        None if captures.is_empty() => return Ok(None),
        None => {
            let opened = files::open(captures, options).map_err(usage)?;
            if opened.order() == Order::Sorted {
                return Ok(None);
            }
            Blueprint::read(&args.plant, Mode::Monitor)?
        }
    };
    blueprint.compile().map(Some)
}

/// What a file is written as.
#[derive(Clone, Copy)]
enum Written {
    Text(Form),
    Parquet,
}

fn kind_of(path: &Path) -> anyhow::Result<Written> {
    match path.extension().and_then(|name| name.to_str()) {
        Some("parquet") => Ok(Written::Parquet),
        Some("csv") => Ok(Written::Text(Form::Csv)),
        Some("json" | "jsonl" | "ndjson") => Ok(Written::Text(Form::Json)),
        _ => Err(usage(anyhow!(
            "`{}` is to be written as what? Names end in .parquet, .csv, .json or .ndjson.",
            path.display()
        ))),
    }
}

fn write(desk: &Desk, sql: &str, path: &Path, written: Written) -> anyhow::Result<u64> {
    let mut result = Ok(0);
    let outcome = whole_file::write(path, |out| {
        let answer = match written {
            Written::Text(form) => Answer::new(form, out),
            Written::Parquet => Answer::parquet(out),
        };
        result = desk.ask(sql, answer);
        match &result {
            Ok(_) => Ok(()),
            Err(_) => Err(io::Error::other("there is no answer")),
        }
    });
    let rows = result.map_err(refused)?;
    outcome.map_err(usage)?;
    Ok(rows)
}

/// A statement that is wrong is for its writer to change; a reader that went away is nothing.
fn refused(error: QueryError) -> anyhow::Error {
    match error {
        QueryError::Write(error) if error.kind() == io::ErrorKind::BrokenPipe => error.into(),
        QueryError::Write(_) => error.into(),
        QueryError::Statement(_) | QueryError::Failed(_) | QueryError::Folder(..) => usage(error),
    }
}

fn list(format: Format, out: &mut impl Write) -> anyhow::Result<()> {
    if format == Format::Json {
        writeln!(out, "{}", serde_json::to_string_pretty(READY)?)?;
        return Ok(());
    }
    for query in READY {
        writeln!(out, "{:<12}{}", query.name, query.asks)?;
    }
    writeln!(
        out,
        "\nandon query --named NAME asks one; -o json --list shows their SQL."
    )?;
    Ok(())
}

fn tables(desk: &Desk, format: Format, out: &mut impl Write) -> anyhow::Result<()> {
    if format == Format::Json {
        writeln!(out, "{}", serde_json::to_string_pretty(desk.tables())?)?;
        return Ok(());
    }
    for (at, table) in desk.tables().iter().enumerate() {
        if at > 0 {
            writeln!(out)?;
        }
        writeln!(out, "{}: {}", table.name, table.words)?;
        for column in &table.columns {
            writeln!(
                out,
                "  {:<18}{:<14}{}",
                column.name, column.r#type, column.words
            )?;
        }
    }
    for (name, lacks) in desk.missing() {
        writeln!(out, "\n{name}: not there. {lacks}")?;
    }
    Ok(())
}
