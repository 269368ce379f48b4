//! A folder that can be handed over: reports, the whole of it as JSON, STIX, the records that were
//! kept, and the digests of all of it as `sha256sum --check` reads them.

use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use andon_emit::stix;
use andon_lab::whole_file;
use andon_schemas::inventory::Inventory;
use anyhow::{Context as _, anyhow};

use super::markdown::markdown;
use super::page::page;
use super::story::Story;
use crate::evidence::{FOLDER, file_digest, is_plain};
use crate::exit::usage;
use crate::results::write_json;

/// Name of the file of digests.
pub const SUMS: &str = "SHA256SUMS";
/// Where the records lie in it.
const RECORDS: &str = "evidence";

/// Writes the folder, which must not hold anything yet; returns the names of its files.
///
/// # Errors
/// If it holds something, or a file cannot be read or written.
pub fn export(
    story: &Story,
    inventory: &Inventory,
    data: &Path,
    out: &Path,
) -> anyhow::Result<Vec<String>> {
    let is_taken = fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some());
    if is_taken {
        return Err(usage(anyhow!(
            "`{}` is not empty: name another folder with --out",
            out.display()
        )));
    }
    let clock = &inventory.clock;
    fs::create_dir_all(out).with_context(|| format!("cannot make folder `{}`", out.display()))?;
    let mut names = Vec::new();
    for (name, text) in [
        ("report.html", page(story, clock)),
        ("report.md", markdown(story, clock)),
    ] {
        whole_file::write(&out.join(name), |file| file.write_all(text.as_bytes()))?;
        names.push(name.to_owned());
    }
    write_json(&out.join("incident.json"), story)?;
    names.push("incident.json".to_owned());
    if let Some(bundle) = stix::bundle(&story.incident, |name| is_inside(name, inventory)) {
        write_json(&out.join("stix.json"), &bundle)?;
        names.push("stix.json".to_owned());
    }
    if let Some(manifest) = &story.evidence {
        let from = data.join(FOLDER).join(&story.incident.incident_id);
        let into = out.join(RECORDS);
        fs::create_dir_all(&into)?;
        write_json(&into.join("manifest.json"), manifest)?;
        names.push(format!("{RECORDS}/manifest.json"));
        for file in &manifest.files {
            let name = &file.file;
            if !is_plain(name) {
                return Err(anyhow!(
                    "the manifest names {name:?}, which is no file beside it"
                ));
            }
            fs::copy(from.join(name), into.join(name))
                .with_context(|| format!("cannot copy `{}`", from.join(name).display()))?;
            names.push(format!("{RECORDS}/{name}"));
        }
    }
    let mut sums = String::new();
    for name in &names {
        let (_, sum) = file_digest(&out.join(name))?;
        writeln!(sums, "{sum}  {name}")?;
    }
    whole_file::write(&out.join(SUMS), |file| file.write_all(sums.as_bytes()))?;
    names.push(SUMS.to_owned());
    Ok(names)
}

/// Whether an address or a name is the plant's own.
fn is_inside(name: &str, inventory: &Inventory) -> bool {
    match name.parse::<IpAddr>() {
        Ok(address) => inventory.networks.iter().any(|net| net.contains(&address)),
        Err(_) => inventory.zones.iter().any(|zone| {
            let head = name.to_lowercase();
            let head = head.strip_suffix(zone.as_str());
            head.is_some_and(|head| head.is_empty() || head.ends_with('.'))
        }),
    }
}

/// Whether the files of an exported folder are what they were; returns how many there are, and one
/// sentence about each that is not.
///
/// # Errors
/// If the digests cannot be read.
pub fn check_sums(folder: &Path) -> anyhow::Result<(u64, Vec<String>)> {
    let path = folder.join(SUMS);
    let sums = fs::read_to_string(&path)
        .with_context(|| format!("cannot read `{}`", path.display()))
        .map_err(usage)?;
    let (mut files, mut problems) = (0, Vec::new());
    for (line, number) in sums.lines().zip(1..) {
        let Some((sum, name)) = line.split_once("  ") else {
            problems.push(format!("{SUMS}, line {number} is none of ours"));
            continue;
        };
        let is_inside = Path::new(name)
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)));
        if !is_inside {
            problems.push(format!(
                "{SUMS}, line {number}: {name:?} is no file of the folder"
            ));
            continue;
        }
        files += 1;
        match file_digest(&folder.join(name)) {
            Ok((_, found)) if found == sum => {}
            Ok(_) => problems.push(format!("{name} was changed after it was exported")),
            Err(error) => problems.push(format!("{name} cannot be read: {error}")),
        }
    }
    Ok((files, problems))
}
