//! A wall clock that is set while a process runs: a small library of our own, compiled here and
//! preloaded into the process, shifts the time of day and leaves monotonic time alone.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The clock of the processes that are started under it.
pub(crate) struct Clock {
    file: fs::File,
    path: PathBuf,
    library: PathBuf,
}

impl Clock {
    /// Compiles the library into a folder; the clock is right.
    pub(crate) fn new(folder: &Path) -> Self {
        let (path, library) = (folder.join("clock"), folder.join("clock.so"));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/clock.c");
        let status = Command::new("cc")
            .args(["-O2", "-shared", "-fPIC", "-o"])
            .args([&library, &source])
            .arg("-ldl")
            .status();
        assert!(status.unwrap().success(), "{}", source.display());
        fs::write(&path, 0_i64.to_ne_bytes()).unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        Self {
            file,
            path,
            library,
        }
    }

    /// Sets it so many seconds ahead of the right time, or behind it.
    pub(crate) fn set(&self, seconds: i64) {
        self.file.write_all_at(&seconds.to_ne_bytes(), 0).unwrap();
    }

    /// The program that starts a process under this clock.
    pub(crate) fn wrapper(&self) -> Vec<String> {
        vec![
            "env".to_owned(),
            format!("LD_PRELOAD={}", self.library.display()),
            format!("ANDON_TEST_CLOCK={}", self.path.display()),
        ]
    }
}
