//! What an executor has to know to play its part.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use andon_ingest::files::OpenOptions;
use andon_schemas::mapping;
use andon_schemas::profile::SourceFile;
use andon_schemas::time::EventTime;
use anyhow::{Context as _, anyhow, bail};
use serde::{Deserialize, Serialize};

use crate::args::BacktestArgs;
use crate::blueprint::{Blueprint, Named};
use crate::exit::usage;

/// A capture, where executors look for it too.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Capture {
    path: PathBuf,
    /// It, or every file below it, by its path from there, with its bytes.
    files: Vec<(PathBuf, u64)>,
}

/// Everything that a part of a backtest depends on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    build: String,
    captures: Vec<Capture>,
    /// A mapping that was handed in: its path and its text.
    mapping: Option<(String, String)>,
    pub(super) blueprint: Blueprint,
    pub(super) named: Named,
    pub(super) by_address: bool,
    pub(super) batch_size: usize,
    pub(super) as_of: EventTime,
}

impl Order {
    /// The order for a backtest.
    ///
    /// # Errors
    /// If it asks for what a cluster cannot do, or a capture or mapping cannot be read.
    pub fn of(
        args: &BacktestArgs,
        (blueprint, named): (&Blueprint, Named),
        by_address: bool,
        as_of: EventTime,
    ) -> anyhow::Result<Self> {
        let captures = args.captures.iter().map(|path| capture(path));
        let mapping = args.mapping.as_deref().map(|path| {
            let text = std::fs::read_to_string(path);
            let text = text.with_context(|| format!("cannot read `{}`", path.display()));
            text.map(|text| (path.display().to_string(), text))
        });
        Ok(Self {
            build: build()?.to_owned(),
            captures: captures.collect::<anyhow::Result<_>>().map_err(usage)?,
            mapping: mapping.transpose().map_err(usage)?,
            blueprint: blueprint.clone(),
            named,
            by_address,
            batch_size: args.batch_size,
            as_of,
        })
    }

    /// Reads an order.
    ///
    /// # Errors
    /// If another build of this program wrote it.
    pub(super) fn read(text: &str) -> anyhow::Result<Self> {
        #[derive(Deserialize)]
        struct Built {
            build: String,
        }
        let Built { build: other } = serde_json::from_str(text).context("it is no order")?;
        let own = build()?;
        if other != own {
            bail!(
                "this executor is andon {own}, and the backtest is asked for by andon {other}: copy \
                 the same binary everywhere"
            );
        }
        serde_json::from_str(text).context("it is no order of this build")
    }

    /// The captures, which have to be here as they are where the backtest was asked for.
    ///
    /// # Errors
    /// Which is missing or differs.
    pub(super) fn captures(&self) -> anyhow::Result<Vec<PathBuf>> {
        for Capture { path, files } in &self.captures {
            let here = files_below(path).with_context(|| {
                format!(
                    "capture `{}` cannot be read on this executor: every executor needs it under \
                     this path, on storage that all of them share",
                    path.display()
                )
            })?;
            let differs = here.iter().chain(files).find(|file| {
                let is_in = |files: &[(PathBuf, u64)]| files.contains(file);
                !is_in(files) || !is_in(&here)
            });
            if let Some((file, bytes)) = differs {
                bail!(
                    "capture `{}` is another on this executor than where the backtest was asked \
                     for: `{}`, of {bytes} bytes, is in one of them only",
                    path.display(),
                    path.join(file).display()
                );
            }
        }
        Ok(self.captures.iter().map(|c| c.path.clone()).collect())
    }

    pub(super) fn options(&self) -> anyhow::Result<OpenOptions> {
        let parse = |(path, text): &(String, String)| {
            mapping::parse(SourceFile { path, text }).map(Arc::new)
        };
        let mapping = self
            .mapping
            .as_ref()
            .map(parse)
            .transpose()
            .map_err(usage)?;
        Ok(OpenOptions::as_of(self.as_of).with_mapping(mapping))
    }
}

/// Version of this program, and a checksum of its binary: another build of the same version may
/// decide otherwise.
pub(super) fn build() -> anyhow::Result<&'static str> {
    static BUILD: OnceLock<String> = OnceLock::new();
    if let Some(build) = BUILD.get() {
        return Ok(build);
    }
    // What runs, even if another binary has taken its place since.
    let own = Path::new("/proc/self/exe");
    let sum = checksum(own).or_else(|_| checksum(&std::env::current_exe()?));
    let sum = sum.context("cannot read the binary that this is")?;
    Ok(BUILD.get_or_init(|| format!("{} ({sum:08x})", env!("CARGO_PKG_VERSION"))))
}

fn checksum(path: &Path) -> std::io::Result<u32> {
    let mut file = BufReader::with_capacity(1 << 20, File::open(path)?);
    let mut sum = crc32fast::Hasher::new();
    loop {
        let part = file.fill_buf()?;
        if part.is_empty() {
            return Ok(sum.finalize());
        }
        sum.update(part);
        let read = part.len();
        file.consume(read);
    }
}

fn capture(path: &Path) -> anyhow::Result<Capture> {
    if !path.is_absolute() {
        return Err(anyhow!(
            "capture `{}` is not named by its whole path: the executors of a cluster look for it \
             under the same",
            path.display()
        ));
    }
    let files = files_below(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok(Capture {
        path: path.to_owned(),
        files,
    })
}

fn files_below(path: &Path) -> std::io::Result<Vec<(PathBuf, u64)>> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    let about = std::fs::metadata(path)?;
    if !about.is_dir() {
        return Ok(vec![(PathBuf::new(), about.len())]);
    }
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(path.join(&folder))? {
            let entry = entry?;
            let name = folder.join(entry.file_name());
            // A link to a folder may lead in a circle.
            if entry.file_type()?.is_dir() {
                folders.push(name);
            } else {
                files.push((name, std::fs::metadata(entry.path())?.len()));
            }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Cli, Command, PlantArgs};

    fn order(captures: &[&Path]) -> anyhow::Result<Order> {
        let mut words = vec!["andon", "backtest"];
        words.extend(captures.iter().filter_map(|path| path.to_str()));
        let Command::Backtest(args) = Cli::parse_from(words).command else {
            unreachable!("that is what was parsed");
        };
        let blueprint = Blueprint::undescribed(&PlantArgs::default()).unwrap();
        Order::of(&args, (&blueprint, Named::default()), true, EventTime::MIN)
    }

    #[test]
    fn captures_must_be_on_the_executor_as_they_are_where_it_was_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("month");
        std::fs::create_dir(&below).unwrap();
        std::fs::write(below.join("a.ndjson"), "12345").unwrap();
        let text = serde_json::to_string(&order(&[&below]).unwrap()).unwrap();
        assert_eq!(Order::read(&text).unwrap().captures().unwrap(), [&*below]);

        std::fs::write(below.join("b.ndjson"), "678").unwrap();
        let differs = Order::read(&text).unwrap().captures().unwrap_err();
        assert!(
            format!("{differs:#}").contains("b.ndjson`, of 3 bytes"),
            "{differs:#}"
        );

        std::fs::remove_dir_all(&below).unwrap();
        let missing = Order::read(&text).unwrap().captures().unwrap_err();
        assert!(format!("{missing:#}").contains("storage that all of them share"));
        assert!(order(&[&below]).is_err());
        let relative = order(&[Path::new("month")]).unwrap_err();
        assert!(format!("{relative:#}").contains("whole path"));
    }

    #[test]
    fn another_build_is_refused_in_words_whatever_else_it_says() {
        let told = |text: &str| format!("{:#}", Order::read(text).unwrap_err());
        let other = told(r#"{"build":"9.9.9 (1)","what":"nobody knows"}"#);
        assert!(other.contains("andon 9.9.9"), "{other}");
        assert!(told("nonsense").contains("no order"));
    }
}
