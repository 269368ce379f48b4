//! TLS of our own connections: whom to trust, and who we are.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// How to know a receiver, and how it knows us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// Certificates, PEM, that the receiver's must be signed by; without them, those that browsers
    /// trust.
    pub ca: Option<PathBuf>,
    /// Our certificate and its key, PEM, for receivers that ask for them.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use `{path}`: {why}")]
pub struct TlsError {
    /// The file.
    pub path: String,
    /// What is wrong with it.
    pub why: String,
}

/// The settings of a connection.
///
/// # Errors
/// If a file cannot be read, or holds no certificate or key.
pub(crate) fn client(options: &TlsOptions) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    match &options.ca {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => {
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|e| wrong(path, e))?;
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let none = PathBuf::new();
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| wrong(options.ca.as_ref().unwrap_or(&none), e))?
        .with_root_certificates(roots);
    let config = match &options.identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let ours = certificates(certificate)?;
            let secret = PrivateKeyDer::from_pem_file(key).map_err(|e| wrong(key, e))?;
            let known = builder.with_client_auth_cert(ours, secret);
            known.map_err(|e| wrong(certificate, e))?
        }
    };
    Ok(Arc::new(config))
}

fn certificates(path: &PathBuf) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found = CertificateDer::pem_file_iter(path).map_err(|e| wrong(path, e))?;
    let found = found
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| wrong(path, e))?;
    if found.is_empty() {
        return Err(wrong(path, "it holds no certificate in PEM"));
    }
    Ok(found)
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it is called with errors and texts"
)]
fn wrong(path: &std::path::Path, why: impl ToString) -> TlsError {
    TlsError {
        path: path.display().to_string(),
        why: why.to_string(),
    }
}
