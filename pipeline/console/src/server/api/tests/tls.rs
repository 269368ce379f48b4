//! Certificates: ours, and those by which clients prove who they are.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::{Answer, Console};
use crate::access::{Access, AccessError, Certificates, Client, Role, Tls, Token};
use crate::server::Limits;

/// An authority, and what it has signed.
struct Authority {
    folder: tempfile::TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { folder, issuer }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a certificate for a name, and its key.
    fn sign(&self, name: &str) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        fs::write(self.path().join(format!("{name}.pem")), certificate.pem()).unwrap();
        fs::write(self.path().join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    fn certificates(&self, client_ca: Option<&Path>) -> Certificates {
        Certificates {
            certificate: self.path().join("localhost.pem"),
            key: self.path().join("localhost.key"),
            client_ca: client_ca.map(|folder| folder.join("ca.pem")),
        }
    }
}

/// Asks over TLS, as whoever a certificate is of.
fn ask(
    console: &Console,
    ours: &Path,
    shown: Option<(&Path, &str)>,
    headers: &str,
) -> Option<Answer> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(ours.join("ca.pem")).unwrap())
        .unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match shown {
        None => builder.with_no_client_auth(),
        Some((folder, name)) => {
            let chain = CertificateDer::from_pem_file(folder.join(format!("{name}.pem"))).unwrap();
            let key = PrivateKeyDer::from_pem_file(folder.join(format!("{name}.key"))).unwrap();
            builder.with_client_auth_cert(vec![chain], key).unwrap()
        }
    };
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(connection, console.connect());
    let request =
        format!("GET /v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut text = String::new();
    // A server that refuses a certificate hangs up instead of answering.
    let _ended = stream.read_to_string(&mut text);
    text.contains("\r\n\r\n").then(|| Answer::of(&text))
}

#[test]
fn clients_prove_who_they_are_by_certificates_that_our_authority_signed() {
    let ours = Authority::new();
    for name in ["localhost", "pdp.plant.example", "other.plant.example"] {
        ours.sign(name);
    }
    let strangers = Authority::new();
    strangers.sign("pdp.plant.example");
    let access = Access {
        certificates: Some(ours.certificates(Some(ours.path()))),
        clients: vec![Client {
            name: "pdp.plant.example".to_owned(),
            role: Role::Read,
        }],
        tokens: vec![Token::of_text("andon_token", "soc", Role::Read)],
        ..Access::default()
    };
    let console = Console::of(Limits::default(), access, 8);
    let status = |shown, headers| ask(&console, ours.path(), shown, headers).map(|a| a.status);
    assert_eq!(
        status(Some((ours.path(), "pdp.plant.example")), ""),
        Some(200)
    );
    // Signed by ours, but nobody who is listed.
    assert_eq!(
        status(Some((ours.path(), "other.plant.example")), ""),
        Some(401)
    );
    assert_eq!(
        status(Some((strangers.path(), "pdp.plant.example")), ""),
        None
    );
    assert_eq!(status(None, ""), Some(401));
    assert_eq!(
        status(None, "Authorization: Bearer andon_token\r\n"),
        Some(200)
    );
    // With both, it may be reached by others.
    assert!(is_served_to_others(ours.certificates(None)));
    // Who does not speak TLS gets no answer, and harms nobody.
    let mut plain = TcpStream::connect(console.address()).unwrap();
    plain
        .write_all(b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    let _ended = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"));
    assert_eq!(
        status(None, "Authorization: Bearer andon_token\r\n"),
        Some(200)
    );
}

fn is_served_to_others(certificates: Certificates) -> bool {
    let health = crate::health::Health::new(&[], super::LONG);
    let metrics = crate::metrics::Metrics::new("1");
    let server = crate::server::Server::bind("0.0.0.0:0", health, metrics).unwrap();
    let inventory = andon_schemas::builtin::inventory().unwrap();
    let mode = andon_schemas::command::Mode::Monitor;
    let board = crate::board::Board::new(&inventory, mode, "1", "boot");
    let access = Access {
        certificates: Some(certificates),
        tokens: vec![Token::of_text("andon_token", "soc", Role::Read)],
        ..Access::default()
    };
    server.telling(board, access).is_ok()
}

#[test]
fn certificates_that_cannot_be_used_are_named() {
    let ours = Authority::new();
    ours.sign("localhost");
    let files = ours.certificates(None);
    assert!(Tls::read(&files, &[]).is_ok());
    fs::write(ours.path().join("empty.pem"), "").unwrap();
    for wrong in ["missing.pem", "empty.pem", "localhost.key"] {
        let files = Certificates {
            certificate: ours.path().join(wrong),
            ..files.clone()
        };
        let Err(AccessError::Tls(said)) = Tls::read(&files, &[]) else {
            panic!("{wrong} is of no use");
        };
        assert!(said.contains(wrong), "{said}");
    }
    ours.sign("other");
    let files = Certificates {
        key: ours.path().join("other.key"),
        ..files
    };
    assert!(
        Tls::read(&files, &[]).is_err(),
        "the key is of another certificate"
    );
}
