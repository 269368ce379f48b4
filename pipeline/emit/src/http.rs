//! A client of HTTP for our own connections: to one address that is written down, with the trust that
//! is written down, and nowhere else.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::Agent;
use ureq::http::Uri;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

/// Why there is no way to an address.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Its address is none.
    #[error("its address {0}")]
    Address(String),
    /// Its certificates cannot be read.
    #[error("cannot use `{path}`: {why}")]
    Certificates {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Whether this is an address over HTTP, with a host and without a password.
///
/// # Errors
/// Says what it lacks.
pub fn check(url: &str) -> Result<(), HttpError> {
    let wrong = |why: String| Err(HttpError::Address(why));
    let uri: Uri = match url.parse() {
        Ok(uri) => uri,
        Err(error) => return wrong(format!("is none: {error}")),
    };
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return wrong("begins with neither `http://` nor `https://`".to_owned());
    }
    if uri
        .authority()
        .is_none_or(|named| named.as_str().contains('@'))
    {
        let why = "names no host, or a password beside it: that has a place of its own";
        return wrong(why.to_owned());
    }
    Ok(())
}

/// A client. `ca` holds certificates, PEM, that the other side's must be signed by; without it,
/// those that browsers trust. An answer may take as long as `patience`.
///
/// # Errors
/// If the certificates cannot be used.
pub fn agent(ca: Option<&PathBuf>, name: &str, patience: Duration) -> Result<Agent, HttpError> {
    let mut tls = TlsConfig::builder();
    if let Some(path) = ca {
        tls = tls.root_certs(roots(path)?);
    }
    Ok(Agent::config_builder()
        .tls_config(tls.build())
        .timeout_global(Some(patience))
        .http_status_as_error(false)
        // It is told at the address it was given, and nowhere else.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .user_agent(name)
        .build()
        .new_agent())
}

fn roots(path: &Path) -> Result<RootCerts, HttpError> {
    let wrong = |why: String| HttpError::Certificates {
        path: path.display().to_string(),
        why,
    };
    let text = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let items = parse_pem(&text).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(Ok(certificate)),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    });
    let found: Vec<Certificate<'static>> = items
        .collect::<Result<_, _>>()
        .map_err(|error| wrong(error.to_string()))?;
    if found.is_empty() {
        return Err(wrong("it holds no certificate in PEM".to_owned()));
    }
    Ok(RootCerts::new_with_certs(&found))
}
