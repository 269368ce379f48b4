//! Where policies come from: those that are built in, or a folder laid out as for Open Policy Agent.

use std::fs;
use std::path::{Path, PathBuf};

use andon_schemas::hex;
use anyhow::{Context as _, anyhow};
use regorus::{Engine, Value};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::exit::usage;

const BUILTIN: &str = include_str!("../../../docker/opa/policy/andon/authz.rego");
const LIMITS: &str = include_str!("../../../docker/opa/policy/andon/limits/data.json");

/// The rule that answers.
pub(super) const ENTRY: &str = "data.andon.authz.decision";

/// Policies in the language Rego, and the data that lie beside them.
#[derive(Debug)]
pub struct Policies {
    /// Path and text of each.
    rego: Vec<(String, String)>,
    data: Vec<serde_json::Value>,
    /// Name, as in a bundle, and text of everything.
    files: Vec<(String, String)>,
    /// SHA-256 over all of it, lower-case hex: what a decision was made by.
    pub hash: String,
}

impl Policies {
    /// Those that are built in.
    ///
    /// # Errors
    /// If they are no policies, which a test rules out.
    pub fn builtin() -> anyhow::Result<Self> {
        let limits: serde_json::Value = serde_json::from_str(LIMITS)?;
        Ok(Self::of(
            vec![("andon/authz.rego".to_owned(), BUILTIN.to_owned())],
            vec![json!({ "andon": { "limits": limits } })],
            vec![
                ("andon/authz.rego".to_owned(), BUILTIN.to_owned()),
                ("andon/limits/data.json".to_owned(), LIMITS.to_owned()),
            ],
        ))
    }

    /// Those in a folder: every `.rego` but tests, and every `data.json`, which stands in the data
    /// where its folder stands in this one.
    ///
    /// # Errors
    /// If a file cannot be read, or there is no policy.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let (mut rego, mut data, mut all) = (Vec::new(), Vec::new(), Vec::new());
        for path in files(folder).map_err(usage)? {
            let name = path.file_name().and_then(|name| name.to_str());
            let name = name.unwrap_or_default();
            let is_policy = path.extension().is_some_and(|kind| kind == "rego")
                && !name.ends_with("_test.rego");
            if !is_policy && name != "data.json" {
                continue;
            }
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cannot read `{}`", path.display()))
                .map_err(usage)?;
            if is_policy {
                rego.push((path.display().to_string(), text.clone()));
            } else {
                let value = serde_json::from_str(&text)
                    .with_context(|| format!("`{}` is no JSON", path.display()))
                    .map_err(usage)?;
                data.push(placed(value, folder, &path));
            }
            let below = path.strip_prefix(folder).unwrap_or(&path);
            all.push((below.to_string_lossy().into_owned(), text));
        }
        if rego.is_empty() {
            let folder = folder.display();
            return Err(usage(anyhow!("there is no policy (`.rego`) in `{folder}`")));
        }
        Ok(Self::of(rego, data, all))
    }

    /// Name and text of each file, as in a bundle.
    pub fn files(self) -> Vec<(String, String)> {
        self.files
    }

    fn of(
        rego: Vec<(String, String)>,
        data: Vec<serde_json::Value>,
        files: Vec<(String, String)>,
    ) -> Self {
        let mut digest = Sha256::new();
        let texts = rego.iter().map(|(_, text)| text.clone());
        for text in texts.chain(data.iter().map(ToString::to_string)) {
            digest.update(text);
            digest.update([0]);
        }
        let hash = hex(&digest.finalize());
        Self {
            rego,
            data,
            files,
            hash,
        }
    }

    /// An engine that holds them, asked once, so that what is wrong with them is said at the start.
    ///
    /// # Errors
    /// Where a policy cannot be read, or that none of them answers.
    pub(super) fn engine(&self) -> anyhow::Result<Engine> {
        let mut engine = Engine::new();
        // As in Open Policy Agent: what cannot be computed is undefined.
        engine.set_strict_builtin_errors(false);
        for (path, text) in &self.rego {
            engine
                .add_policy(path.clone(), text.clone())
                .with_context(|| format!("`{path}` is no policy"))
                .map_err(usage)?;
        }
        for value in &self.data {
            let value = Value::from_json_str(&value.to_string())?;
            engine.add_data(value).map_err(usage)?;
        }
        engine.set_input(Value::new_object());
        engine
            .eval_rule(ENTRY.to_owned())
            .with_context(|| format!("the policies do not answer at `{ENTRY}`"))
            .map_err(usage)?;
        Ok(engine)
    }
}

/// All files below a folder, in the order of their paths.
fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder)
            .with_context(|| format!("cannot read the folder `{}`", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            // A link may lead in a circle.
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A value where its folder stands below `root`.
fn placed(value: serde_json::Value, root: &Path, path: &Path) -> serde_json::Value {
    let below = path
        .parent()
        .and_then(|folder| folder.strip_prefix(root).ok());
    let folders = below.into_iter().flat_map(Path::components);
    let names: Vec<_> = folders
        .map(|name| name.as_os_str().to_string_lossy())
        .collect();
    let around = |value, name: &_| json!({ format!("{name}"): value });
    names.iter().rev().fold(value, around)
}
