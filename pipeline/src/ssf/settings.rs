//! The section `[ssf]` of the configuration: a transmitter of shared signals (SSF 1.0, CAEP 1.0).
//!
//! ```toml
//! [ssf]
//! issuer = "https://andon.plant.example"         # how it is reached, and its name in every token
//! push_to = ["https://pdp.plant.example/"]       # what addresses of receivers may begin with; none: poll
//! ca = "ca.pem"                                  # who signs their certificates [default: whom browsers trust]
//! ```
//!
//! Receivers begin at `/.well-known/ssf-configuration`; each is a token or a client of `[access]`, and
//! needs the role `respond` to make its stream.

use std::path::{Path, PathBuf};

use andon_console::SignalOptions;
use andon_emit::http;
use anyhow::{anyhow, bail};
use serde::Deserialize;

use crate::siem::settings::is_loopback;

/// The section as it is written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Section {
    issuer: String,
    push_to: Vec<String>,
    ca: Option<PathBuf>,
}

/// What a transmitter is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who it is.
    pub options: SignalOptions,
    /// Who signs the certificates of those it pushes to.
    pub ca: Option<PathBuf>,
}

impl Section {
    /// What it comes to; keys and streams are kept in `data`.
    ///
    /// # Errors
    /// Names the key that holds something else than it should.
    pub fn check(&self, data: &Path) -> anyhow::Result<Settings> {
        let issuer = self.issuer.trim_end_matches('/');
        address("issuer", issuer)?;
        if issuer.matches('/').count() > 2 || issuer.contains(['?', '#']) {
            bail!("ssf.issuer: `{issuer}` goes on behind its host: that is not served");
        }
        for begin in &self.push_to {
            address("push_to", begin)?;
            // `https://pdp.example` is the beginning of `https://pdp.example.somebody.else`, too.
            if begin.matches('/').count() < 3 {
                bail!("ssf.push_to: `{begin}` lacks the `/` behind its host");
            }
        }
        if self.ca.is_some() && self.push_to.is_empty() {
            bail!("ssf.ca: it means nothing without `push_to`");
        }
        Ok(Settings {
            options: SignalOptions {
                issuer: issuer.to_owned(),
                folder: data.to_owned(),
                push_to: self.push_to.clone(),
            },
            ca: self.ca.clone(),
        })
    }
}

/// Tokens say who is at risk, and are shown what authorizes us: they go out encrypted.
fn address(key: &str, url: &str) -> anyhow::Result<()> {
    http::check(url).map_err(|error| anyhow!("ssf.{key}: {error}"))?;
    if url.starts_with("http://") && !is_loopback(url) {
        bail!("ssf.{key}: `{url}` is not https, and not this host");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_holds_is_checked() {
        let checked = |text: &str| toml::from_str::<Section>(text)?.check(Path::new("data"));
        let settings = checked("issuer = \"https://andon.example/\"").unwrap();
        assert_eq!(settings.options.issuer, "https://andon.example");
        for (text, says) in [
            ("", "ssf.issuer"),
            ("issuer = \"http://andon.example\"", "not https"),
            ("issuer = \"https://andon.example/x\"", "behind its host"),
            (
                "issuer = \"https://a.example\"\npush_to = [\"https://b.example\"]",
                "lacks the `/`",
            ),
            (
                "issuer = \"https://a.example\"\npush_to = [\"http://b.example/\"]",
                "not https",
            ),
            (
                "issuer = \"https://a.example\"\nca = \"x\"",
                "without `push_to`",
            ),
            ("isuer = \"x\"", "unknown field `isuer`"),
        ] {
            let error = checked(text).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
