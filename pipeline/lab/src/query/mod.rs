//! SQL over what a run left behind and over captures. DataFusion lives here and nowhere else.
//!
//! It only reads: statements that would change or write anything are refused. Memory is bounded;
//! what does not fit is spilled to a temporary folder.

mod captured;
mod column;
mod devices;
mod feed;
mod lines;
mod ready;
mod refusal;
mod show;
mod tables;
mod windows;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use andon_engine::Plant;
use andon_ingest::files::OpenOptions;
use andon_schemas::mapping::Mapping;
use andon_schemas::time::EventTime;
use datafusion::arrow::datatypes::{Field, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::MemTable;
use datafusion::error::{DataFusionError, Result as FusionResult};
use datafusion::execution::context::SQLOptions;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};

pub use ready::{READY, ReadyQuery, ready};
pub use refusal::{QueryError, Statement};
pub use show::{Answer, Form};

use captured::Captured;
use feed::Rows;
use lines::Lines;
use refusal::{Known, refusal};
use windows::Windows;

/// Memory that an answer may take, bytes, unless said otherwise.
pub const MEMORY_BYTES: usize = 1 << 30;

/// Least memory that is worth trying with, bytes.
pub const MEMORY_BYTES_MIN: usize = 16 << 20;

/// Least memory for which an answer takes one more thread, bytes.
const THREAD_BYTES_MIN: usize = 256 << 20;

/// Longest statement, bytes: what takes longest to plan grows with its square.
pub const STATEMENT_BYTES_MAX: usize = 16 << 10;

/// What is asked.
#[derive(Clone, Debug)]
pub struct Sources {
    /// Folder that a run, a demo or a backtest wrote.
    pub folder: Option<PathBuf>,
    /// Captures: files, or folders of them.
    pub captures: Vec<PathBuf>,
    /// What the columns of CSV captures mean; without it, what is written beside each.
    pub mapping: Option<Arc<Mapping>>,
    /// What windows are measured against, and whose inventory is told.
    pub plant: Option<Arc<Plant>>,
    /// Receive time of records that do not tell theirs.
    pub as_of: EventTime,
    /// Memory that an answer may take, bytes.
    pub memory_bytes: usize,
}

/// A column, for people.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ColumnText {
    /// Its name.
    pub name: String,
    /// Its type, as SQL knows it.
    pub r#type: String,
    /// What it means.
    pub words: &'static str,
}

/// A table, for people.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TableText {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub words: &'static str,
    /// Its columns.
    pub columns: Vec<ColumnText>,
}

/// Tables that can be asked.
pub struct Desk {
    context: SessionContext,
    runtime: tokio::runtime::Runtime,
    tables: Vec<TableText>,
    missing: Vec<(String, String)>,
    /// How much could not be read, by file and in words.
    unread: BTreeMap<(String, &'static str), Arc<AtomicU64>>,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.tables.iter().map(|table| &table.name).collect();
        f.debug_struct("Desk")
            .field("tables", &names)
            .finish_non_exhaustive()
    }
}

impl Desk {
    /// Lays out the tables. Nothing is read yet.
    ///
    /// # Errors
    /// If the folder is not there.
    pub fn open(sources: &Sources) -> Result<Self, QueryError> {
        let fail = |error: DataFusionError| QueryError::Failed(error.strip_backtrace());
        let runtime = tokio::runtime::Builder::new_multi_thread().build()?;
        let mut desk = Self {
            context: context(sources.memory_bytes).map_err(fail)?,
            runtime,
            tables: Vec::new(),
            missing: Vec::new(),
            unread: BTreeMap::new(),
        };
        match &sources.folder {
            Some(folder) => desk.folder(folder)?,
            None => desk.without_folder(),
        }
        desk.captures(sources).map_err(fail)?;
        desk.inventory(sources.plant.as_deref()).map_err(fail)?;
        Ok(desk)
    }

    fn folder(&mut self, folder: &Path) -> Result<(), QueryError> {
        let failed = |error| QueryError::Folder(folder.to_owned(), error);
        std::fs::read_dir(folder).map_err(failed)?;
        for table in tables::LINE_TABLES {
            let path = folder.join(table.file);
            if !path.is_file() {
                let lacks = format!("`{}` holds no `{}`.", folder.display(), table.file);
                self.missing.push((table.name.to_owned(), lacks));
                continue;
            }
            let unread = self.unread(table.file.to_owned(), "lines cannot be read");
            let lines = Lines::new(path, table.columns, table.makes, unread);
            let words: Vec<_> = table.columns.iter().map(|c| (c.name, c.words)).collect();
            let schema = lines.schema().clone();
            feed::table(schema, vec![Arc::new(lines) as Arc<dyn Rows>])
                .and_then(|rows| self.add(table.name, table.words, &words, Arc::new(rows)))
                .map_err(|error| QueryError::Failed(error.strip_backtrace()))?;
        }
        Ok(())
    }

    fn without_folder(&mut self) {
        for table in tables::LINE_TABLES {
            let lacks = "Name the folder of a run, demo or backtest with --data.".to_owned();
            self.missing.push((table.name.to_owned(), lacks));
        }
    }

    fn captures(&mut self, sources: &Sources) -> FusionResult<()> {
        if sources.captures.is_empty() {
            let lacks = "Name captures with --capture.".to_owned();
            self.missing.push(("captures".to_owned(), lacks.clone()));
            self.missing.push(("windows".to_owned(), lacks));
            return Ok(());
        }
        let part = |path: &PathBuf| {
            let unread = self.unread(path.display().to_string(), "records cannot be read");
            Arc::new(Captured::new(path.clone(), sources.mapping.clone(), unread)) as Arc<dyn Rows>
        };
        let parts = sources.captures.iter().map(part).collect();
        let words: Vec<_> = captured::words().collect();
        let rows = feed::table(captured::schema(), parts)?;
        self.add(
            "captures",
            "every record of the captures",
            &words,
            Arc::new(rows),
        )?;
        let Some(plant) = &sources.plant else {
            let lacks = "Name the plant with --inventory and --profiles.".to_owned();
            self.missing.push(("windows".to_owned(), lacks));
            return Ok(());
        };
        let refused = self.unread("windows".to_owned(), "records are of no device");
        let options = OpenOptions::as_of(sources.as_of).with_mapping(sources.mapping.clone());
        let captures = sources.captures.clone();
        let windows = Windows::new(captures, options, plant.clone(), refused);
        let words: Vec<_> = windows::COLUMNS.iter().map(|c| (c.name, c.words)).collect();
        let rows = feed::table(windows.schema().clone(), vec![Arc::new(windows)])?;
        let what = "what every device did in every hour of the captures, as the engine counts it";
        self.add("windows", what, &words, Arc::new(rows))
    }

    fn inventory(&mut self, plant: Option<&Plant>) -> FusionResult<()> {
        let Some(plant) = plant else {
            let lacks = "Name one with --inventory.".to_owned();
            self.missing.push(("inventory".to_owned(), lacks));
            return Ok(());
        };
        let batch = devices::rows(plant.inventory())?;
        let words: Vec<_> = devices::COLUMNS.iter().map(|c| (c.name, c.words)).collect();
        let rows = MemTable::try_new(batch.schema(), vec![vec![batch]])?;
        self.add(
            "inventory",
            "what the plant consists of",
            &words,
            Arc::new(rows),
        )
    }

    fn add(
        &mut self,
        name: &'static str,
        words: &'static str,
        columns: &[(&'static str, &'static str)],
        rows: Arc<dyn TableProvider>,
    ) -> FusionResult<()> {
        self.tables.push(TableText {
            name: name.to_owned(),
            words,
            columns: texts(&rows.schema(), columns),
        });
        self.context.register_table(name, rows).map(drop)
    }

    /// The tables there are.
    pub fn tables(&self) -> &[TableText] {
        &self.tables
    }

    /// Tables that are not there, and what would have to be.
    pub fn missing(&self) -> impl Iterator<Item = (&str, &str)> {
        self.missing.iter().map(|(name, lacks)| (&**name, &**lacks))
    }

    fn unread(&mut self, file: String, words: &'static str) -> Arc<AtomicU64> {
        self.unread.entry((file, words)).or_default().clone()
    }

    /// What the queries so far passed over: of which file or table how many, and what of.
    pub fn passed_over(&self) -> impl Iterator<Item = (&str, u64, &'static str)> {
        self.unread
            .iter()
            .map(|((file, words), count)| (&**file, count.load(Ordering::Relaxed), *words))
            .filter(|(_, count, _)| *count > 0)
    }

    /// Answers one statement.
    ///
    /// # Errors
    /// A statement that is wrong or would do more than read, files that cannot be read, an answer
    /// that needs too much memory or cannot be written.
    pub fn ask(&self, sql: &str, answer: Answer) -> Result<u64, QueryError> {
        let names: Vec<String> = self.tables.iter().map(|table| table.name.clone()).collect();
        let known = Known {
            tables: &names,
            missing: &self.missing,
        };
        check(sql).map_err(QueryError::Statement)?;
        let refuse = |error: &DataFusionError| refusal(error, sql, &known);
        let asking = async {
            let frame = self.plan(sql).await.map_err(|error| refuse(&error))?;
            let schema = Arc::clone(frame.schema().inner());
            let stream = frame.execute_stream().await;
            let stream = stream.map_err(|error| refuse(&error))?;
            answer.take(&schema, stream, &refuse).await
        };
        // What statements DataFusion stumbles over is for nobody to foresee.
        let asked = catch_unwind(AssertUnwindSafe(|| self.runtime.block_on(asking)));
        asked.unwrap_or_else(|_| {
            let words = "DataFusion failed on this statement: put it in another way";
            Err(QueryError::Failed(words.to_owned()))
        })
    }

    async fn plan(&self, sql: &str) -> FusionResult<DataFrame> {
        let only_read = SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false);
        self.context.sql_with_options(sql, only_read).await
    }
}

/// What can be said before it is parsed.
fn check(sql: &str) -> Result<(), Statement> {
    if sql.trim().is_empty() {
        let hint = "For example: SELECT * FROM verdicts LIMIT 10";
        return Err(Statement::whole("the statement is empty", hint));
    }
    if sql.len() > STATEMENT_BYTES_MAX {
        let length = sql.len();
        let message = format!("the statement has {length} bytes; at most 16 KiB are read");
        return Err(Statement::whole(message, "Ask for less at a time."));
    }
    Ok(())
}

fn context(memory_bytes: usize) -> FusionResult<SessionContext> {
    let mut config = SessionConfig::new()
        .with_default_catalog_and_schema("andon", "data")
        .with_information_schema(true);
    // Errors say where in the statement they are.
    config.options_mut().sql_parser.collect_spans = true;
    let memory_bytes = memory_bytes.max(MEMORY_BYTES_MIN);
    // Every thread sorts in a share of the memory of its own, which must be worth having.
    let threads = config
        .target_partitions()
        .min(memory_bytes / THREAD_BYTES_MIN);
    config = config.with_target_partitions(threads.max(1));
    // What a sort keeps free for merging what it spilled; the default would leave nothing to sort
    // in where memory is small.
    let execution = &mut config.options_mut().execution;
    let reserved = execution.sort_spill_reservation_bytes;
    execution.sort_spill_reservation_bytes = reserved.min(memory_bytes / 16);
    let memory = FairSpillPool::new(memory_bytes);
    let environment = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(memory))
        .build_arc()?;
    Ok(SessionContext::new_with_config_rt(config, environment))
}

fn texts(schema: &SchemaRef, words: &[(&'static str, &'static str)]) -> Vec<ColumnText> {
    let text = |field: &Arc<Field>| ColumnText {
        name: field.name().clone(),
        r#type: show::type_name(field.data_type()),
        words: words
            .iter()
            .find(|(name, _)| name == field.name())
            .map_or("", |(_, words)| *words),
    };
    schema.fields().iter().map(text).collect()
}
