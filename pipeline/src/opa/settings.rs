//! The section `[opa]` of the configuration.
//!
//! ```toml
//! [opa]
//! push = "http://127.0.0.1:8181"       # an Open Policy Agent whose data API is kept up to date
//! token_file = "opa.token"             # its bearer token; or token_env
//! ca = "ca.pem"                        # for https [default: whom browsers trust]
//! expires = "60s"                      # how long a pushed risk counts if nothing follows it
//!
//! [opa.bundle]                         # served to those who fetch: GET /v1/opa/bundle.tar.gz
//! expires = "10m"                      # how long the risks in a bundle count
//! policy = "builtin"                   # policies within as well: these, or a folder of yours
//! key_file = "bundle.key"              # what bundles are signed with; see `andon_console::Signer`
//! algorithm = "ES256"                  # or HS256
//! key_id = "andon"                     # how the other side calls that key
//! ```

use std::path::{Path, PathBuf};
use std::time::Duration;

use andon_console::{BundleOptions, Signer};
use andon_emit::http;
use andon_emit::opa::DataApiOptions;
use anyhow::{Context as _, anyhow, bail};
use serde::Deserialize;

use crate::args::parse_duration;
use crate::pdp::Policies;
use crate::siem::settings::{is_loopback, secret};

/// How long what is pushed counts: three refreshes.
const PUSHED_FOR: Duration = Duration::from_secs(60);
/// How long what is fetched counts: whoever fetches asks every minute or two by default.
const FETCHED_FOR: Duration = Duration::from_secs(600);
/// The policies that are built in, by name.
const BUILTIN: &str = "builtin";

/// The section as it is written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Section {
    push: Option<String>,
    token_file: Option<PathBuf>,
    token_env: Option<String>,
    ca: Option<PathBuf>,
    expires: Option<String>,
    bundle: Option<BundleSection>,
}

/// The section of bundles as it is written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BundleSection {
    expires: Option<String>,
    policy: Option<PathBuf>,
    key_file: Option<PathBuf>,
    algorithm: Option<String>,
    key_id: Option<String>,
}

/// What is told to policy engines.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// One that is pushed to.
    pub push: Option<PushSettings>,
    /// What others may fetch.
    pub bundle: Option<BundleOptions>,
}

/// A policy engine that is pushed to.
#[derive(Clone, Debug)]
pub struct PushSettings {
    /// How it is reached.
    pub api: DataApiOptions,
    /// How long what it is told counts.
    pub expires: Duration,
}

impl Settings {
    /// Bundles as whoever tries things out needs them, and an engine at `push`, if there is one.
    ///
    /// # Errors
    /// If that is no address.
    pub fn of_demo(push: Option<&str>) -> anyhow::Result<Self> {
        let section = Section {
            push: push.map(ToOwned::to_owned),
            bundle: Some(BundleSection::default()),
            ..Section::default()
        };
        section.check()
    }

    /// Whether nobody is told anything.
    pub fn is_empty(&self) -> bool {
        self.push.is_none() && self.bundle.is_none()
    }
}

impl Section {
    /// What it comes to.
    ///
    /// # Errors
    /// Names the key that holds something else than it should, or that has no meaning here.
    pub fn check(&self) -> anyhow::Result<Settings> {
        Ok(Settings {
            push: self.push()?,
            bundle: self.bundle.as_ref().map(BundleSection::check).transpose()?,
        })
    }

    fn push(&self) -> anyhow::Result<Option<PushSettings>> {
        let Some(url) = &self.push else {
            let given = [
                ("token_file", self.token_file.is_some()),
                ("token_env", self.token_env.is_some()),
                ("ca", self.ca.is_some()),
                ("expires", self.expires.is_some()),
            ];
            return match given.iter().find(|(_, is_given)| *is_given) {
                Some((key, _)) => bail!("opa.{key}: it means nothing without `push`"),
                None => Ok(None),
            };
        };
        http::check(url).map_err(|error| anyhow!("opa.push: {error}"))?;
        if url.contains(['?', '#']) {
            bail!("opa.push: `{url}` goes on behind its path: /v1/data is put there");
        }
        let (file, variable) = (self.token_file.as_ref(), self.token_env.as_ref());
        let token = secret("token", file, variable).context("opa")?;
        if url.starts_with("http://") && !is_loopback(url) {
            tracing::warn!(
                "opa: risks, and the token that lets one write them, go out over http, where anybody \
                 on the way can read and change them: take https"
            );
        }
        Ok(Some(PushSettings {
            api: DataApiOptions {
                url: url.clone(),
                token,
                ca: self.ca.clone(),
            },
            expires: time("opa.expires", self.expires.as_deref(), PUSHED_FOR)?,
        }))
    }
}

impl BundleSection {
    fn check(&self) -> anyhow::Result<BundleOptions> {
        let policy = match &self.policy {
            None => Vec::new(),
            Some(name) if name == Path::new(BUILTIN) => Policies::builtin()?.files(),
            Some(folder) => Policies::read(folder).context("opa.bundle.policy")?.files(),
        };
        let signer = match (&self.key_file, self.algorithm.as_deref()) {
            (None, None) if self.key_id.is_none() => None,
            (None, _) => {
                bail!("opa.bundle: `algorithm` and `key_id` mean nothing without `key_file`")
            }
            (Some(path), algorithm) => {
                let key_id = self.key_id.as_deref().unwrap_or("andon");
                let signer = Signer::read(path, algorithm.unwrap_or("ES256"), key_id);
                Some(signer.context("opa.bundle.key_file")?)
            }
        };
        Ok(BundleOptions {
            expires: time("opa.bundle.expires", self.expires.as_deref(), FETCHED_FOR)?,
            policy,
            signer,
        })
    }
}

fn time(key: &str, text: Option<&str>, default: Duration) -> anyhow::Result<Duration> {
    let Some(text) = text else {
        return Ok(default);
    };
    let seconds = parse_duration(text).map_err(|error| anyhow!("{key}: {error}"))?;
    // Less, and it lapses between two refreshes; more, and a dead run is believed for a day.
    if !(3.0..=86_400.0).contains(&seconds) {
        bail!("{key}: `{text}` is not between 3 s and 24 h");
    }
    Ok(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> anyhow::Result<Settings> {
        toml::from_str::<Section>(text)?.check()
    }

    #[test]
    fn what_does_not_go_together_is_said() {
        for (text, says) in [
            ("push = \"opa:8181\"", "opa.push"),
            ("push = \"http://a:b@opa\"", "password"),
            ("push = \"http://opa/?x\"", "behind its path"),
            ("expires = \"60s\"", "without `push`"),
            ("push = \"http://opa\"\nexpires = \"1s\"", "3 s and 24 h"),
            ("push = \"http://opa\"\nexpires = \"soon\"", "opa.expires"),
            (
                "push = \"http://opa\"\ntoken_env = \"ANDON_NO_SUCH\"",
                "ANDON_NO_SUCH",
            ),
            ("[bundle]\nalgorithm = \"ES256\"", "without `key_file`"),
            ("[bundle]\nkey_file = \"/nowhere\"", "/nowhere"),
            ("[bundle]\npolicy = \"/nowhere\"", "opa.bundle.policy"),
            ("[bundle]\npolices = \"x\"", "unknown field `polices`"),
        ] {
            let error = format!("{:#}", checked(text).unwrap_err());
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn a_bundle_needs_no_more_than_its_section() {
        assert!(checked("").unwrap().is_empty());
        let bundle = checked("[bundle]").unwrap().bundle.unwrap();
        assert_eq!(bundle.expires, FETCHED_FOR);
        assert!(bundle.policy.is_empty() && bundle.signer.is_none());
        let bundle = checked("[bundle]\npolicy = \"builtin\"").unwrap().bundle;
        let names: Vec<String> = bundle
            .unwrap()
            .policy
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names, ["andon/authz.rego", "andon/limits/data.json"]);
    }
}
