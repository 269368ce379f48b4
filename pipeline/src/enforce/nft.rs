//! The kernel, by way of `nft`: one script is one transaction, which is done as a whole or not at
//! all.

use std::env;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::ruleset::{CHAIN, TABLE};

/// Most of what `nft` says that is passed on, characters.
const SAID_MAX: usize = 400;
/// Where administrators' programs lie, for those whose `PATH` leaves that out.
const ELSEWHERE: [&str; 2] = ["/usr/sbin", "/sbin"];

/// Whoever carries out rulesets.
pub trait Kernel {
    /// Puts a ruleset in the place of the one before, as a whole.
    ///
    /// # Errors
    /// Why nothing was changed.
    fn replace(&mut self, script: &str) -> Result<(), String>;

    /// Whether the ruleset with this mark is in force, or, without a mark, whether none is.
    ///
    /// # Errors
    /// Why that cannot be told.
    fn holds(&mut self, mark: Option<&str>) -> Result<bool, String>;
}

/// The kernel of this machine, or of this network namespace.
#[derive(Debug)]
pub struct Nft {
    program: PathBuf,
}

impl Nft {
    /// By this program, or by the one that is found.
    pub fn new(program: Option<&Path>) -> Self {
        let program = program.map_or_else(found, Path::to_owned);
        Self { program }
    }

    fn run(&self, args: &[&str], script: &str) -> Result<Output, String> {
        let name = self.program.display();
        let spawned = Command::new(&self.program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut process = spawned.map_err(|error| format!("cannot run `{name}`: {error}"))?;
        let written = match process.stdin.take() {
            Some(mut stdin) => stdin.write_all(script.as_bytes()),
            None => Ok(()),
        };
        let output = process.wait_with_output();
        let output = output.map_err(|error| format!("`{name}` was lost: {error}"))?;
        // One that ends without reading has more to say about it than that it did.
        match written {
            Err(error) if output.status.success() => Err(format!("`{name}`: {error}")),
            Err(_) | Ok(()) => Ok(output),
        }
    }
}

impl Kernel for Nft {
    fn replace(&mut self, script: &str) -> Result<(), String> {
        let output = self.run(&["-f", "-"], script)?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!("nft refuses: {}", said(&output)))
    }

    fn holds(&mut self, mark: Option<&str>) -> Result<bool, String> {
        let Some(mark) = mark else {
            let table: Vec<&str> = TABLE.split(' ').collect();
            let args = [&["list", "table"], &table[..]].concat();
            return Ok(!self.run(&args, "")?.status.success());
        };
        let chain: Vec<&str> = CHAIN.split(' ').collect();
        let args = [&["list", "chain"], &chain[..]].concat();
        let output = self.run(&args, "")?;
        let listed = String::from_utf8_lossy(&output.stdout);
        Ok(output.status.success() && listed.contains(mark))
    }
}

/// Who carries out rulesets: the kernel, or nobody, who writes down the last one.
#[derive(Debug)]
pub enum Hands {
    /// For real.
    Kernel(Nft),
    /// What would be done.
    Paper(String),
}

impl Kernel for Hands {
    fn replace(&mut self, script: &str) -> Result<(), String> {
        match self {
            Self::Kernel(nft) => nft.replace(script),
            Self::Paper(last) => {
                script.clone_into(last);
                Ok(())
            }
        }
    }

    fn holds(&mut self, mark: Option<&str>) -> Result<bool, String> {
        match self {
            Self::Kernel(nft) => nft.holds(mark),
            Self::Paper(_) => Ok(true),
        }
    }
}

fn found() -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(ELSEWHERE.map(PathBuf::from))
        .map(|folder| folder.join("nft"))
        .find(|file| file.is_file())
        // Whoever runs it says that there is none.
        .unwrap_or_else(|| PathBuf::from("nft"))
}

/// The first of what `nft` said, in one line.
fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let first = text.lines().map(str::trim).find(|line| !line.is_empty());
    let first = first.unwrap_or("nothing is said about why");
    let printable = first.chars().filter(|c| !c.is_control());
    printable.take(SAID_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let mut nft = Nft::new(Some(Path::new("/nowhere/nft")));
        let refused = nft.replace("").unwrap_err();
        assert!(refused.contains("/nowhere/nft"), "{refused}");
    }

    #[test]
    fn a_program_that_fails_without_reading_is_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nft");
        std::fs::write(&path, "#!/bin/sh\necho '/dev/stdin:1:1: no' >&2\nexit 1\n").unwrap();
        let mut permissions = path.metadata().unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o700);
        std::fs::set_permissions(&path, permissions).unwrap();
        let mut nft = Nft::new(Some(&path));
        let refused = nft
            .replace(&"add table inet andon\n".repeat(100_000))
            .unwrap_err();
        assert_eq!(refused, "nft refuses: /dev/stdin:1:1: no");
    }
}
