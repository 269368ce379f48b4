//! TLS: our certificate, and those of clients.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::client::verify_server_name;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::{AccessError, Certificates, Client, Role};

/// What connections are encrypted with.
#[derive(Clone)]
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    clients: Arc<[Client]>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

/// Who proved itself by a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) name: Arc<str>,
    pub(crate) role: Role,
}

impl Tls {
    /// Reads certificates and key.
    ///
    /// # Errors
    /// If a file cannot be used; its path is named.
    pub(crate) fn read(files: &Certificates, clients: &[Client]) -> Result<Self, AccessError> {
        let chain = certificates(&files.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|e| useless(&files.key, &e))?;
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|e| AccessError::Tls(format!("TLS cannot be set up: {e}")))?;
        let builder = match &files.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates(path)? {
                    roots.add(certificate).map_err(|e| useless(path, &e))?;
                }
                // A client may also show a token instead.
                let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider)
                    .allow_unauthenticated()
                    .build()
                    .map_err(|e| useless(path, &e))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder
            .with_single_cert(chain, key)
            .map_err(|e| useless(&files.certificate, &e))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            clients: clients.into(),
        })
    }

    /// What takes connections.
    pub(crate) fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }

    /// Who a certificate is of; it has been verified already.
    pub(crate) fn named(&self, shown: &CertificateDer<'_>) -> Option<Named> {
        let parsed = ParsedCertificate::try_from(shown).ok()?;
        let is_of = |client: &&Client| {
            ServerName::try_from(client.name.as_str())
                .is_ok_and(|name| verify_server_name(&parsed, &name).is_ok())
        };
        let client = self.clients.iter().find(is_of)?;
        Some(Named {
            name: client.name.as_str().into(),
            role: client.role,
        })
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, AccessError> {
    let read = CertificateDer::pem_file_iter(path).map_err(|e| useless(path, &e))?;
    let all = read
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| useless(path, &e))?;
    if all.is_empty() {
        return Err(useless(path, &"it holds no certificate"));
    }
    Ok(all)
}

fn useless(path: &Path, cause: &dyn std::fmt::Display) -> AccessError {
    AccessError::Tls(format!("cannot use `{}`: {cause}", path.display()))
}
