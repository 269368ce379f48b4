//! What is kept, in its folder: files of records, a manifest of each incident, and a chain of all.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};

use andon_ingest::files::CaptureWriter;
use andon_schemas::chain::{Chain, Link};
use andon_schemas::evidence::{EVIDENCE_SCHEMA, EvidenceFile, Manifest, Reach};
use andon_schemas::hex;
use andon_schemas::time::EventTime;
use anyhow::{Context as _, anyhow};
use sha2::{Digest as _, Sha256};

use super::ring::Row;
use crate::exit::words;
use crate::results::{cut_torn_line, write_json};

/// Name of the file in which all that was kept hangs together.
pub const CHAIN: &str = "chain.jsonl";
/// Name of what says what was kept of an incident, in its folder.
pub(super) const MANIFEST: &str = "manifest.json";
/// Longest list of files that is read, bytes.
const LIST_BYTES_MAX: u64 = 64 << 20;
/// So many records of an incident are kept at most.
const ROWS_MAX: u64 = 200_000;
/// So much is kept in all, bytes; what is there is never removed.
const BYTES_MAX: u64 = 4 << 30;

/// Records of an incident, by their number among all.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) incident_id: String,
    pub(crate) site: String,
    pub(crate) rows: BTreeMap<u64, Row>,
    /// Records for which there was no room.
    pub(crate) beyond: u64,
    /// Records that were gone before they could be read.
    pub(crate) deleted: u64,
    /// How far a topic was read for it, if one was.
    pub(crate) reach: Option<Reach>,
}

/// What is kept.
#[derive(Debug)]
pub(crate) struct Shelf {
    folder: PathBuf,
    chain: Chain,
    bytes: u64,
    is_full: bool,
}

impl Shelf {
    /// Goes on in a folder, which is made if need be. One that cannot be gone on with is set aside.
    ///
    /// # Errors
    /// If it cannot be made, or cannot be set aside.
    pub(crate) fn go_on(folder: &Path) -> anyhow::Result<Self> {
        Self::open(folder).or_else(|error| {
            let aside = set_aside(folder)?;
            tracing::error!(
                "evidence cannot be gone on with and begins anew; what was kept is in `{}`: {}",
                aside.display(),
                words(&error)
            );
            Self::open(folder)
        })
    }

    /// How far the topic was read for an incident.
    ///
    /// # Errors
    /// If what is said of it cannot be read.
    pub(crate) fn reach(&self, incident_id: &str) -> anyhow::Result<Option<Reach>> {
        let manifest = read_manifest(&self.folder.join(incident_id))?;
        Ok(manifest.and_then(|manifest| manifest.reach))
    }

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
        let mut newest: BTreeMap<String, EvidenceFile> = BTreeMap::new();
        for file in read_chain(&path)? {
            let followed = shelf.chain.follow(&file);
            followed.map_err(|why| anyhow!(why))?;
            shelf.bytes += file.bytes;
            newest.insert(file.incident_id.clone(), file);
        }
        cut_torn_line(&path)?;
        for (id, file) in newest {
            shelf.mend(&id, file)?;
        }
        Ok(shelf)
    }

    /// A crash may have come between a file's line in the chain and its place in the manifest.
    fn mend(&self, id: &str, file: EvidenceFile) -> anyhow::Result<()> {
        if !is_plain(id) {
            return Err(anyhow!("{id:?} is no name of an incident"));
        }
        let folder = self.folder.join(id);
        let kept = read_manifest(&folder)?;
        let mut manifest = kept.unwrap_or_else(|| empty(id.to_owned(), String::new()));
        if manifest.files.last() == Some(&file) {
            return Ok(());
        }
        if file.reach.is_some() {
            manifest.reach.clone_from(&file.reach);
        }
        manifest.files.push(file);
        write_json(&folder.join(MANIFEST), &manifest)
    }

    /// Writes a part, whole or not at all.
    ///
    /// # Errors
    /// If the disk does not take it.
    pub(crate) fn keep(&mut self, part: Part) -> anyhow::Result<()> {
        let Part {
            incident_id,
            site,
            rows,
            beyond,
            deleted,
            reach,
        } = part;
        let folder = self.folder.join(&incident_id);
        fs::create_dir_all(&folder)?;
        let kept = read_manifest(&folder)?;
        let mut manifest = kept.unwrap_or_else(|| empty(incident_id, site));
        let known: u64 = manifest.files.iter().map(|file| file.rows).sum();
        if self.bytes >= BYTES_MAX && !std::mem::replace(&mut self.is_full, true) {
            tracing::error!(
                "no more evidence is kept: `{}` holds {} MB; move what is needed elsewhere, and \
                 the folder away",
                self.folder.display(),
                self.bytes >> 20
            );
        }
        manifest.beyond += beyond;
        manifest.deleted += deleted;
        if reach.is_some() {
            manifest.reach = reach;
        }
        if rows.is_empty() || known >= ROWS_MAX || self.bytes >= BYTES_MAX {
            manifest.beyond += rows.len() as u64;
        } else {
            let mut rows: Vec<Row> = rows.into_values().collect();
            rows.sort_by_key(|row| row.record.event_time);
            let file = self.write(&folder, &manifest, &rows)?;
            manifest.files.push(file);
        }
        write_json(&folder.join(MANIFEST), &manifest)
    }

    /// Writes records into a file, and hangs it on the chain.
    fn write(
        &mut self,
        folder: &Path,
        manifest: &Manifest,
        rows: &[Row],
    ) -> anyhow::Result<EvidenceFile> {
        let number = manifest.files.len() + 1;
        let name = format!("{number:04}.parquet");
        let beside = folder.join(format!("{number:04}.new.parquet"));
        let mut writer = CaptureWriter::create(&beside)?;
        for row in rows {
            writer.record(&row.record, Some(&row.source))?;
        }
        writer.finish()?;
        File::open(&beside)?.sync_all()?;
        fs::rename(&beside, folder.join(&name))?;
        File::open(folder)?.sync_all()?;
        let (bytes, sha256) = digest(&folder.join(&name))?;
        let time = |row: Option<&Row>| row.map_or(EventTime::MIN, |row| row.record.event_time);
        let mut chain = self.chain.clone();
        let file = chain.append(EvidenceFile {
            schema: EVIDENCE_SCHEMA.to_owned(),
            incident_id: manifest.incident_id.clone(),
            file: name,
            rows: rows.len() as u64,
            first: time(rows.first()),
            last: time(rows.last()),
            bytes,
            sha256,
            reach: manifest.reach.clone(),
            link: Link::default(),
        });
        self.link(&file)?;
        // Only what is on the disk is hung on.
        self.chain = chain;
        self.bytes += bytes;
        Ok(file)
    }

    /// Writes a line of the chain, whole or not at all.
    fn link(&self, file: &EvidenceFile) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(file)?;
        line.push(b'\n');
        let mut chain = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join(CHAIN))?;
        let before = chain.metadata()?.len();
        let written = chain.write_all(&line).and_then(|()| chain.sync_data());
        if written.is_err() {
            chain.set_len(before)?;
        }
        Ok(written?)
    }
}

fn empty(incident_id: String, site: String) -> Manifest {
    Manifest {
        schema: EVIDENCE_SCHEMA.to_owned(),
        incident_id,
        site,
        beyond: 0,
        deleted: 0,
        reach: None,
        files: Vec::new(),
    }
}

/// Whether a name is one of a file or a folder, and leads nowhere else.
pub fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0'])
}

/// Puts a folder beside itself, under a name that nothing has.
///
/// # Errors
/// If it cannot be moved.
pub fn set_aside(folder: &Path) -> anyhow::Result<PathBuf> {
    let mut free = (1..10_000_u32)
        .map(|number| folder.with_extension(number.to_string()))
        .filter(|path| !path.exists());
    let aside = free
        .next()
        .with_context(|| format!("too much was set aside beside `{}`", folder.display()))?;
    fs::rename(folder, &aside)
        .with_context(|| format!("cannot set `{}` aside", folder.display()))?;
    Ok(aside)
}

/// What a file holds that says what others hold: a regular file, and none that fills the memory.
///
/// # Errors
/// If it is none, or cannot be read.
pub fn read_list(path: &Path) -> io::Result<Vec<u8>> {
    let about = fs::symlink_metadata(path)?;
    if !about.is_file() || about.len() > LIST_BYTES_MAX {
        return Err(io::Error::other("it is no list of files"));
    }
    fs::read(path)
}

/// The length of a file, bytes, and its SHA-256, lower-case hex.
///
/// # Errors
/// If it cannot be read.
pub fn digest(path: &Path) -> io::Result<(u64, String)> {
    // Nothing that never ends, and nothing that lies elsewhere.
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
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
    match read_list(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .with_context(|| format!("`{}` is no manifest", path.display())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read `{}`", path.display())),
    }
}
