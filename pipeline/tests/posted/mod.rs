//! A receiver of webhooks over TLS, which may be there or not, and keeps what it was posted.
#![allow(dead_code, reason = "every test uses a part of it")]
#![allow(
    clippy::unwrap_used,
    reason = "what these functions cannot do fails the test"
)]
#![allow(clippy::allow_attributes, reason = "every test uses a part of it")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::signed::Signed;
use crate::watched::PATIENCE;

/// Instead of a status: it hangs up without an answer, once.
pub(crate) const HANG_UP: u16 = 0;

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Posted {
    /// By their names in small letters.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
    /// What it was answered.
    pub(crate) status: u16,
}

impl Posted {
    pub(crate) fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// The receiver.
pub(crate) struct Receiver {
    port: u16,
    tls: Arc<ServerConfig>,
    posted: Arc<Mutex<Vec<Posted>>>,
    status: Arc<AtomicU16>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Receiver {
    /// One that is not there yet.
    pub(crate) fn absent(signed: &Signed) -> Self {
        let certificate = CertificateDer::from_pem_file(&signed.certificate).unwrap();
        let key = PrivateKeyDer::from_pem_file(&signed.key).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        Self {
            port: free.local_addr().unwrap().port(),
            tls: Arc::new(tls),
            posted: Arc::default(),
            status: Arc::new(AtomicU16::new(204)),
            is_over: Arc::default(),
            thread: None,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}/in", self.port)
    }

    /// What it answers from here on.
    pub(crate) fn answer(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    pub(crate) fn posted(&self) -> Vec<Posted> {
        self.posted.lock().unwrap().clone()
    }

    pub(crate) fn start(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).unwrap();
        self.is_over.store(false, Ordering::SeqCst);
        let (tls, posted) = (self.tls.clone(), self.posted.clone());
        let (status, is_over) = (self.status.clone(), self.is_over.clone());
        self.thread = Some(std::thread::spawn(move || {
            for stream in listener.incoming() {
                if is_over.load(Ordering::SeqCst) {
                    return;
                }
                // Whoever breaks off in the middle has posted nothing.
                let _broken = hear(stream.unwrap(), &tls, &posted, &status);
            }
        }));
    }

    /// Ends it: whoever comes now finds nobody.
    pub(crate) fn stop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.is_over.store(true, Ordering::SeqCst);
            drop(TcpStream::connect(("127.0.0.1", self.port)));
            thread.join().unwrap();
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stop();
    }
}

fn hear(
    socket: TcpStream,
    tls: &Arc<ServerConfig>,
    posted: &Mutex<Vec<Posted>>,
    status: &AtomicU16,
) -> std::io::Result<()> {
    socket.set_read_timeout(Some(PATIENCE))?;
    let session = ServerConnection::new(tls.clone()).unwrap();
    let mut reader = BufReader::new(StreamOwned::new(session, socket));
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => {
                headers.insert(name.to_lowercase(), value.trim().to_owned());
            }
            None if line.starts_with("POST ") => {}
            None => break,
        }
    }
    let length = headers
        .get("content-length")
        .and_then(|text| text.parse().ok());
    let mut body = vec![0; length.ok_or(std::io::ErrorKind::InvalidData)?];
    reader.read_exact(&mut body)?;
    let status = match status.load(Ordering::SeqCst) {
        HANG_UP => {
            status.store(204, Ordering::SeqCst);
            HANG_UP
        }
        other => other,
    };
    let body = String::from_utf8(body).unwrap();
    posted.lock().unwrap().push(Posted {
        headers,
        body,
        status,
    });
    if status == HANG_UP {
        return Ok(());
    }
    let mut stream = reader.into_inner();
    write!(
        stream,
        "HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )?;
    stream.conn.send_close_notify();
    stream.flush()
}

/// Whether the library that receivers use takes the signatures for good. `false`, if it is not there
/// and nobody demands it.
pub(crate) fn are_signed(posted: &[Posted], secret: &str) -> bool {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../docker/siem/validate");
    if std::env::var_os("ANDON_SIEM").is_none_or(|value| value != "1") {
        let check = Command::new(script).arg("check").output().unwrap();
        if !check.status.success() {
            return false;
        }
    }
    let mut judge = Command::new(script)
        .arg("webhook")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = judge.stdin.take().unwrap();
    for one in posted {
        let line = json!({ "secret": secret, "headers": one.headers, "body": one.body });
        writeln!(input, "{line}").unwrap();
    }
    drop(input);
    let said = judge.wait_with_output().unwrap();
    assert!(
        said.status.success(),
        "{}",
        String::from_utf8_lossy(&said.stderr)
    );
    true
}
