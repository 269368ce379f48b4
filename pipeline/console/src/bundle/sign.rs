//! Signatures of what others fetch, as JSON web signatures.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use ring::{error, hmac};
use serde_json::{Value, json};
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;

/// The least that a shared secret may hold, bytes: as much as what it makes.
const SECRET_BYTES_MIN: usize = 32;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SignerError(String);

/// Signs by one key.
#[derive(Clone)]
pub struct Signer {
    key_id: String,
    key: Key,
}

#[derive(Clone)]
enum Key {
    Shared(hmac::Key),
    Own(Arc<EcdsaKeyPair>, SystemRandom),
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("key_id", &self.key_id)
            .field("algorithm", &self.algorithm())
            .finish_non_exhaustive()
    }
}

impl Signer {
    /// Reads a key. For `ES256` the file holds a private key of the curve P-256 in PKCS#8, PEM, as
    /// `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256` makes it; for `HS256` a
    /// secret of 32 bytes or more, of which white space at the end is none. The other side knows the
    /// key as `key_id`.
    ///
    /// # Errors
    /// Says what the file lacks.
    pub fn read(path: &Path, algorithm: &str, key_id: &str) -> Result<Self, SignerError> {
        let wrong =
            |why: &dyn fmt::Display| SignerError(format!("cannot use `{}`: {why}", path.display()));
        if key_id.is_empty() {
            return Err(SignerError("a key needs a name".to_owned()));
        }
        let key = match algorithm {
            "HS256" => {
                let text = std::fs::read(path).map_err(|error| wrong(&error))?;
                let secret = text.trim_ascii_end();
                if secret.len() < SECRET_BYTES_MIN {
                    return Err(wrong(&"a secret of less than 32 bytes could be guessed"));
                }
                Key::Shared(hmac::Key::new(hmac::HMAC_SHA256, secret))
            }
            "ES256" => {
                let der = PrivatePkcs8KeyDer::from_pem_file(path).map_err(|_| {
                    wrong(&"it holds no private key in PKCS#8, PEM (`BEGIN PRIVATE KEY`)")
                })?;
                let random = SystemRandom::new();
                let pair = EcdsaKeyPair::from_pkcs8(
                    &ECDSA_P256_SHA256_FIXED_SIGNING,
                    der.secret_pkcs8_der(),
                    &random,
                );
                let pair = pair.map_err(|error| wrong(&format!("no key of P-256: {error}")))?;
                Key::Own(Arc::new(pair), random)
            }
            other => {
                let why = format!("algorithm `{other}` is none of ES256, HS256");
                return Err(SignerError(why));
            }
        };
        Ok(Self {
            key_id: key_id.to_owned(),
            key,
        })
    }

    /// The other side knows the key as this.
    pub(crate) fn rename(&mut self, key_id: String) {
        self.key_id = key_id;
    }

    /// The point of the curve that the other side checks signatures by.
    pub(crate) fn point(&self) -> Option<Vec<u8>> {
        match &self.key {
            Key::Shared(_) => None,
            Key::Own(pair, _) => Some(pair.public_key().as_ref().to_vec()),
        }
    }

    fn algorithm(&self) -> &'static str {
        match self.key {
            Key::Shared(_) => "HS256",
            Key::Own(..) => "ES256",
        }
    }

    /// A signed token with these claims.
    ///
    /// # Errors
    /// If the system gives no randomness.
    pub(crate) fn token(&self, claims: &Value) -> Result<String, error::Unspecified> {
        self.token_of("JWT", claims)
    }

    /// The same of another kind.
    ///
    /// # Errors
    /// If the system gives no randomness.
    pub(crate) fn token_of(
        &self,
        kind: &str,
        claims: &Value,
    ) -> Result<String, error::Unspecified> {
        let header = json!({ "alg": self.algorithm(), "kid": self.key_id, "typ": kind });
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(&header), encode(claims));
        let signature = match &self.key {
            Key::Shared(key) => hmac::sign(key, signed.as_bytes()).as_ref().to_vec(),
            Key::Own(pair, random) => pair.sign(random, signed.as_bytes())?.as_ref().to_vec(),
        };
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_key_is_refused_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "short\n").unwrap();
        for (algorithm, key_id, says) in [
            ("HS256", "andon", "32 bytes"),
            ("ES256", "andon", "PKCS#8"),
            ("RS256", "andon", "none of ES256, HS256"),
            ("HS256", "", "a name"),
        ] {
            let error = Signer::read(&path, algorithm, key_id).unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
        }
        std::fs::write(&path, "whisper-whisper-whisper-whisper-whisper\n").unwrap();
        let signer = Signer::read(&path, "HS256", "andon").unwrap();
        assert!(!format!("{signer:?}").contains("whisper"));
        assert_eq!(signer.token(&json!({})).unwrap().split('.').count(), 3);
    }
}
