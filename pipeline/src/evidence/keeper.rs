//! Writes what was collected, in a thread of its own.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::thread::JoinHandle;

use andon_ingest::files::CaptureWriter;
use andon_schemas::chain::{Chain, Link};
use andon_schemas::evidence::{EVIDENCE_SCHEMA, EvidenceFile, Manifest};
use andon_schemas::hex;
use andon_schemas::time::EventTime;
use anyhow::{Context as _, anyhow};
use sha2::{Digest as _, Sha256};

use super::ring::Row;
use crate::exit::words;
use crate::results::{cut_torn_line, write_json};

/// Name of the file in which all that was kept hangs together.
pub(super) const CHAIN: &str = "chain.jsonl";
/// Name of what says what was kept of an incident, in its folder.
pub(super) const MANIFEST: &str = "manifest.json";
/// So many parts wait to be written at most.
const WAITING_MAX: usize = 64;
/// So many files of an incident are kept at most.
const FILES_MAX: usize = 100;
/// So much is kept in all, bytes; what is there is never removed.
const BYTES_MAX: u64 = 4 << 30;

/// Records of an incident.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) incident_id: String,
    pub(super) site: String,
    pub(super) rows: Vec<Row>,
    pub(super) beyond: u64,
}

enum Errand {
    Keep(Part),
    Settle(Sender<()>),
}

/// The thread that writes.
#[derive(Debug)]
pub(super) struct Keeper {
    errands: Option<SyncSender<Errand>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Goes on in a folder, which is made if need be.
    pub(super) fn start(folder: &Path) -> anyhow::Result<Self> {
        let mut shelf = Shelf::open(folder)?;
        let (errands, waiting) = sync_channel(WAITING_MAX);
        let thread = std::thread::Builder::new()
            .name("evidence".to_owned())
            .spawn(move || shelf.serve(&waiting))
            .context("cannot start the thread that keeps evidence")?;
        Ok(Self {
            errands: Some(errands),
            thread: Some(thread),
        })
    }

    /// Has a part written. Where the disk does not keep up, it is not, and that is said.
    pub(super) fn take(&self, part: Part) {
        let Some(errands) = &self.errands else {
            return;
        };
        if let Err(
            TrySendError::Full(Errand::Keep(part)) | TrySendError::Disconnected(Errand::Keep(part)),
        ) = errands.try_send(Errand::Keep(part))
        {
            tracing::error!(
                "{} records of incident {} are not kept as evidence: the disk does not keep up",
                part.rows.len(),
                part.incident_id
            );
        }
    }

    /// Waits until everything handed over is written.
    pub(super) fn settle(&self) {
        let (told, written) = channel();
        let errands = self.errands.as_ref();
        if errands.is_some_and(|errands| errands.send(Errand::Settle(told)).is_ok()) {
            // It has ended, or has written everything.
            let _is_written = written.recv().is_ok();
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.errands = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that keeps evidence ended by a panic");
        }
    }
}

/// What is kept.
struct Shelf {
    folder: PathBuf,
    chain: Chain,
    bytes: u64,
    is_full: bool,
}

impl Shelf {
    fn open(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot make folder `{}`", folder.display()))?;
        let path = folder.join(CHAIN);
        let mut shelf = Self {
            folder: folder.to_owned(),
            chain: Chain::default(),
            bytes: 0,
            is_full: false,
        };
        let damaged = || {
            format!(
                "the evidence in `{}` cannot be gone on with; move the folder away",
                folder.display()
            )
        };
        for file in read_chain(&path).with_context(damaged)? {
            let followed = shelf.chain.follow(&file);
            followed.map_err(|why| anyhow!(why)).with_context(damaged)?;
            shelf.bytes += file.bytes;
        }
        cut_torn_line(&path)?;
        Ok(shelf)
    }

    fn serve(&mut self, errands: &Receiver<Errand>) {
        while let Ok(errand) = errands.recv() {
            match errand {
                Errand::Settle(told) => drop(told.send(())),
                Errand::Keep(part) => {
                    let id = part.incident_id.clone();
                    if let Err(error) = self.keep(part) {
                        tracing::error!(
                            "records of incident {id} are not kept as evidence: {}",
                            words(&error)
                        );
                    }
                }
            }
        }
    }

    fn keep(&mut self, mut part: Part) -> anyhow::Result<()> {
        let folder = self.folder.join(&part.incident_id);
        fs::create_dir_all(&folder)?;
        let mut manifest = read_manifest(&folder)?.unwrap_or_else(|| Manifest {
            schema: EVIDENCE_SCHEMA.to_owned(),
            incident_id: part.incident_id.clone(),
            site: part.site.clone(),
            beyond: 0,
            files: Vec::new(),
        });
        let has_room = manifest.files.len() < FILES_MAX && self.bytes < BYTES_MAX;
        if self.bytes >= BYTES_MAX && !std::mem::replace(&mut self.is_full, true) {
            tracing::error!(
                "no more evidence is kept: `{}` holds {} MB; move what is needed elsewhere, and \
                 the folder away",
                self.folder.display(),
                self.bytes >> 20
            );
        }
        manifest.beyond += part.beyond;
        if has_room && !part.rows.is_empty() {
            part.rows.sort_by_key(|row| row.record.event_time);
            let file = self.write(&folder, manifest.files.len() + 1, &part)?;
            manifest.files.push(file);
        } else {
            manifest.beyond += part.rows.len() as u64;
        }
        write_json(&folder.join(MANIFEST), &manifest)
    }

    /// Writes records into a file, and hangs it on the chain.
    fn write(&mut self, folder: &Path, number: usize, part: &Part) -> anyhow::Result<EvidenceFile> {
        let name = format!("{number:04}.parquet");
        let beside = folder.join(format!("{number:04}.new.parquet"));
        let mut writer = CaptureWriter::create(&beside)?;
        for row in &part.rows {
            writer.record(&row.record, Some(&row.source))?;
        }
        writer.finish()?;
        File::open(&beside)?.sync_all()?;
        fs::rename(&beside, folder.join(&name))?;
        File::open(folder)?.sync_all()?;
        let (bytes, sha256) = digest(&folder.join(&name))?;
        let time = |row: Option<&Row>| row.map_or(EventTime::MIN, |row| row.record.event_time);
        let file = self.chain.append(EvidenceFile {
            schema: EVIDENCE_SCHEMA.to_owned(),
            incident_id: part.incident_id.clone(),
            file: name,
            rows: part.rows.len() as u64,
            first: time(part.rows.first()),
            last: time(part.rows.last()),
            bytes,
            sha256,
            link: Link::default(),
        });
        self.bytes += bytes;
        let mut line = serde_json::to_vec(&file)?;
        line.push(b'\n');
        let mut chain = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join(CHAIN))?;
        chain.write_all(&line)?;
        chain.sync_data()?;
        Ok(file)
    }
}

/// The length of a file, bytes, and its SHA-256, lower-case hex.
///
/// # Errors
/// If it cannot be read.
pub fn digest(path: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let mut digest = Sha256::new();
    let (mut bytes, mut chunk) = (0, vec![0; 64 << 10]);
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok((bytes, hex(&digest.finalize()))),
            read => {
                bytes += read as u64;
                digest.update(&chunk[..read]);
            }
        }
    }
}

/// The entries of the chain; a torn last line is none.
pub(super) fn read_chain(path: &Path) -> anyhow::Result<Vec<EvidenceFile>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read `{}`", path.display()));
        }
    };
    let mut reader = BufReader::new(file);
    let (mut entries, mut line) = (Vec::new(), Vec::new());
    loop {
        line.clear();
        reader.read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            return Ok(entries);
        }
        let number = entries.len() + 1;
        let entry = serde_json::from_slice(&line)
            .with_context(|| format!("`{}`, line {number}", path.display()))?;
        entries.push(entry);
    }
}

/// What is said to be kept of an incident; `None` if nothing is.
pub(super) fn read_manifest(folder: &Path) -> anyhow::Result<Option<Manifest>> {
    let path = folder.join(MANIFEST);
    match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .with_context(|| format!("`{}` is no manifest", path.display())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read `{}`", path.display())),
    }
}
