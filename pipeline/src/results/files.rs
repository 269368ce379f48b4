//! The files that a run writes line by line.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

/// Name of the file of verdicts.
pub const VERDICTS: &str = "verdicts.jsonl";
/// Name of the file of incidents.
pub const INCIDENTS: &str = "incidents.jsonl";
/// Name of the audit trail.
pub const AUDIT: &str = "audit.jsonl";

/// The files, open for writing.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) verdicts: BufWriter<File>,
    pub(super) commands: BufWriter<File>,
    pub(super) audit: BufWriter<File>,
    pub(super) alerts: BufWriter<File>,
    pub(super) incidents: BufWriter<File>,
    pub(super) notices: BufWriter<File>,
    pub(super) risks: BufWriter<File>,
    pub(super) rejects: BufWriter<File>,
    pub(super) late: BufWriter<File>,
    pub(super) duplicates: BufWriter<File>,
}

impl Files {
    /// Opens them, to begin anew or to go on.
    ///
    /// # Errors
    /// If one cannot be opened or made.
    pub(super) fn open(folder: &Path, append: bool) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make folder `{}`", folder.display()))?;
        let open = |name: &str| {
            let path = folder.join(name);
            if append {
                cut_torn_line(&path)
                    .with_context(|| format!("cannot mend `{}`", path.display()))?;
            }
            File::options()
                .create(true)
                .write(true)
                .append(append)
                .truncate(!append)
                .open(&path)
                .map(BufWriter::new)
                .with_context(|| format!("cannot write `{}`", path.display()))
        };
        Ok(Self {
            verdicts: open(VERDICTS)?,
            commands: open("commands.jsonl")?,
            audit: open(AUDIT)?,
            alerts: open("alerts.jsonl")?,
            incidents: open(INCIDENTS)?,
            notices: open("notices.jsonl")?,
            risks: open("risk.jsonl")?,
            rejects: open("rejects.jsonl")?,
            late: open("late.jsonl")?,
            duplicates: open("duplicates.jsonl")?,
        })
    }

    fn all(&mut self) -> [&mut BufWriter<File>; 10] {
        [
            &mut self.verdicts,
            &mut self.commands,
            &mut self.audit,
            &mut self.alerts,
            &mut self.incidents,
            &mut self.notices,
            &mut self.risks,
            &mut self.rejects,
            &mut self.late,
            &mut self.duplicates,
        ]
    }

    /// Writes out what is buffered.
    pub(super) fn flush(&mut self) -> std::io::Result<()> {
        self.all().into_iter().try_for_each(BufWriter::flush)
    }

    /// The same, down to the disk.
    pub(super) fn sync(&mut self) -> std::io::Result<()> {
        self.flush()?;
        let mut files = self.all().into_iter();
        files.try_for_each(|file| file.get_ref().sync_data())
    }
}

/// Writes a line.
pub(super) fn line(file: &mut BufWriter<File>, line: &impl Serialize) -> anyhow::Result<()> {
    serde_json::to_writer(&mut *file, line)?;
    file.write_all(b"\n")?;
    Ok(())
}

/// A crash may have left half a line at the end of a file; what comes next must not be glued to
/// it.
///
/// # Errors
/// If the file cannot be read or cut.
pub fn cut_torn_line(path: &Path) -> std::io::Result<()> {
    let file = match File::options().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut end = file.metadata()?.len();
    let mut block = vec![0; 64 << 10];
    while end > 0 {
        let length = end.min(block.len() as u64);
        let start = end - length;
        let bytes = &mut block[..usize::try_from(length).unwrap_or(0)];
        file.read_exact_at(bytes, start)?;
        if let Some(newline) = bytes.iter().rposition(|byte| *byte == b'\n') {
            return file.set_len(start + newline as u64 + 1);
        }
        end = start;
    }
    file.set_len(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_line_is_cut_and_whole_ones_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("verdicts.jsonl");
        for (before, after) in [
            ("{\"a\":1}\n{\"b\"", "{\"a\":1}\n"),
            ("{\"a\":1}\n", "{\"a\":1}\n"),
            ("{\"a\"", ""),
            ("", ""),
        ] {
            std::fs::write(&path, before).unwrap();
            cut_torn_line(&path).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), after);
        }
        cut_torn_line(&folder.path().join("none.jsonl")).unwrap();
    }
}
