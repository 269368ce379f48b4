//! An authority of a test, and a certificate of it for this host.
#![allow(
    clippy::unwrap_used,
    reason = "what these functions cannot do fails the test"
)]
#![allow(clippy::allow_attributes, reason = "every test uses a part of it")]

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// Where an authority and what it has signed lie, as PEM.
pub(crate) struct Signed {
    pub(crate) ca: PathBuf,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Signed {
    /// A new authority in a folder, by a name of its own there, and a certificate for `localhost`.
    pub(crate) fn new(folder: &Path, name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        // Authorities of one name would be taken for one whose signature is bad.
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let write = |end: &str, text: String| {
            let path = folder.join(format!("{name}{end}"));
            fs::write(&path, text).unwrap();
            path
        };
        Self {
            ca: write(".ca.pem", issuer.pem()),
            certificate: write(".pem", certificate.pem()),
            key: write(".key", key.serialize_pem()),
        }
    }
}
