//! The key of a transmitter: made once, kept where its owner only reads it.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use andon_schemas::hex;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::error::Unspecified;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::bundle::{Signer, SignerError};

const FILE: &str = "ssf.key";
/// What tokens are, in their heads.
const KIND: &str = "secevent+jwt";

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It cannot be read.
    #[error(transparent)]
    Unusable(#[from] SignerError),
    /// It cannot be made.
    #[error("cannot make the key `{0}`: {1}")]
    Unwritten(String, String),
}

/// Signs tokens.
#[derive(Debug)]
pub(super) struct SetKey {
    signer: Signer,
    /// As receivers know it.
    public: Value,
}

impl SetKey {
    /// The key in a folder, or a new one for it.
    pub(super) fn of(folder: &Path) -> Result<Self, KeyError> {
        let path = folder.join(FILE);
        if !path.exists() {
            make(folder, &path)
                .map_err(|why| KeyError::Unwritten(path.display().to_string(), why))?;
        }
        let mut signer = Signer::read(&path, "ES256", "?")?;
        let point = signer.point().unwrap_or_default();
        let id = hex(&Sha256::digest(&point)).chars().take(16).collect();
        // 4, and both coordinates.
        let (x, y) = match point.split_first() {
            Some((4, both)) if both.len() == 64 => both.split_at(32),
            _ => (&[][..], &[][..]),
        };
        let public = json!({
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": id,
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
        });
        signer.rename(id);
        Ok(Self { signer, public })
    }

    pub(super) fn sign(&self, claims: &Value) -> Result<String, Unspecified> {
        self.signer.token_of(KIND, claims)
    }

    pub(super) fn public(&self) -> &Value {
        &self.public
    }
}

/// Writes a new key beside its place first: it is there whole, or not at all.
fn make(folder: &Path, path: &Path) -> Result<(), String> {
    let random = SystemRandom::new();
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
    let made = made.map_err(|_| "the system gives no randomness".to_owned())?;
    let encoded = STANDARD.encode(made.as_ref());
    let lines = encoded.as_bytes().chunks(64).map(String::from_utf8_lossy);
    let body: Vec<_> = lines.collect();
    let body = body.join("\n");
    let text = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
    let write = || -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let beside = folder.join("ssf.key.new");
        write_private(&beside, &text)?;
        fs::rename(&beside, path)
    };
    write().map_err(|error| error.to_string())
}

/// Writes a file that only its owner reads.
pub(super) fn write_private(path: &Path, text: &str) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
