//! Who may ask the console, as the configuration says it.
//!
//! ```toml
//! [access]
//! certificate = "tls/andon.pem"        # both, or none: then only loopback is served
//! key = "tls/andon.key"
//! # client_ca = "tls/clients.pem"      # who signs certificates of clients
//! # hosts = ["andon.plant.example"]    # further names of this host, for a proxy before it
//! # requests_per_second = 20000        # of one client
//! # health_only = false                # nothing but health and metrics, to everybody
//!
//! [[access.tokens]]                    # `andon token create` makes these
//! name = "pdp"
//! role = "read"                        # read, respond, admin
//! sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
//!
//! [[access.clients]]                   # by a DNS name in their certificates
//! name = "pdp.plant.example"
//! role = "read"
//! ```

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use andon_console::{Access, Certificates, Client, Role, Token};
use andon_emit::terminal::printable;
use anyhow::{Context as _, anyhow};
use serde::Deserialize;

/// Holds the token of whoever is at the machine, in the data folder.
pub const OPERATOR_FILE: &str = "operator.token";
/// Says where the run is served, in the data folder.
pub const URL_FILE: &str = "console.url";
/// What is done with that token is done by this name.
const OPERATOR: &str = "operator";
/// Longest name of whoever has a token, bytes.
const NAME_BYTES_MAX: usize = 64;
/// A shorter one could be guessed.
const TOKEN_CHARS_MIN: usize = 32;

/// The section `[access]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Section {
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    client_ca: Option<PathBuf>,
    hosts: Vec<String>,
    requests_per_second: Option<u32>,
    health_only: bool,
    tokens: Vec<TokenFile>,
    clients: Vec<ClientFile>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenFile {
    name: String,
    role: String,
    sha256: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientFile {
    name: String,
    role: String,
}

/// Who may ask for what.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// As the server takes it.
    pub access: Access,
    /// Nothing but health and metrics is served.
    pub health_only: bool,
}

impl Section {
    /// Checks the section.
    ///
    /// # Errors
    /// Says what does not go together.
    pub fn check(&self) -> anyhow::Result<Settings> {
        let certificates = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => Some(Certificates {
                certificate: certificate.clone(),
                key: key.clone(),
                client_ca: self.client_ca.clone(),
            }),
            (None, None) => None,
            _ => return Err(anyhow!("access: `certificate` and `key` need each other")),
        };
        if self.client_ca.is_some() && certificates.is_none() {
            return Err(anyhow!("access: `client_ca` needs `certificate` and `key`"));
        }
        if self.client_ca.is_none() && !self.clients.is_empty() {
            return Err(anyhow!(
                "access: `clients` need `client_ca`, who signs for them"
            ));
        }
        if self.requests_per_second == Some(0) {
            return Err(anyhow!("access: `requests_per_second` is 0"));
        }
        let tokens = self.tokens.iter().map(TokenFile::check);
        let clients = self.clients.iter().map(ClientFile::check);
        Ok(Settings {
            access: Access {
                tokens: tokens.collect::<Result<_, _>>()?,
                operator: None,
                clients: clients.collect::<Result<_, _>>()?,
                certificates,
                hosts: self.hosts.clone(),
                requests_per_second: self.requests_per_second,
            },
            health_only: self.health_only,
        })
    }
}

/// Checks the name of whoever has a token: it stands in the audit trail, and before the key of
/// everything that is done with it.
///
/// # Errors
/// Says what is wrong with it.
pub fn check_name(name: &str) -> anyhow::Result<()> {
    let shown = printable(name);
    if name.is_empty() {
        return Err(anyhow!("the name of a token is empty"));
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(anyhow!(
            "the name of a token has {} bytes; at most {NAME_BYTES_MAX} are possible",
            name.len()
        ));
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    if let Some(odd) = name.chars().find(|c| !is_plain(*c)) {
        return Err(anyhow!(
            "the name of a token, `{shown}`, holds {odd:?}; letters from a to z, digits, `-`, `_`, \
             `.` and `@` are possible"
        ));
    }
    Ok(())
}

impl TokenFile {
    fn check(&self) -> anyhow::Result<Token> {
        let name = &self.name;
        check_name(name).map_err(|error| anyhow!("access: {error}"))?;
        let role = self.role.parse::<Role>();
        let digest = digest(&self.sha256)
            .ok_or_else(|| anyhow!("access token `{name}`: sha256 is not 64 hex digits"))?;
        Ok(Token {
            name: name.clone(),
            role: role.map_err(|e| anyhow!("access token `{name}`: {e}"))?,
            digest,
        })
    }
}

impl ClientFile {
    fn check(&self) -> anyhow::Result<Client> {
        let name = &self.name;
        let role = self.role.parse::<Role>();
        Ok(Client {
            name: name.clone(),
            role: role.map_err(|e| anyhow!("access client `{name}`: {e}"))?,
        })
    }
}

/// A digest of 64 hex digits.
pub fn digest(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(digest)
}

/// Makes a token; returns it as it is shown, once.
///
/// # Errors
/// If the system gives no randomness.
pub fn make(name: &str, role: Role) -> anyhow::Result<(String, Token)> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow!("the system gives no randomness: {error}"))?;
    Ok(Token::of_bytes(&bytes, name, role))
}

/// The token of whoever is at the machine.
#[derive(Debug)]
pub struct Operator {
    /// As it is shown.
    pub text: String,
    /// As the server knows it.
    pub token: Token,
    /// Where it is to be kept, if it is new.
    place: Option<PathBuf>,
}

impl Operator {
    /// A token that is kept nowhere.
    ///
    /// # Errors
    /// If the system gives no randomness.
    pub fn new() -> anyhow::Result<Self> {
        let (text, token) = make(OPERATOR, Role::Admin)?;
        Ok(Self {
            text,
            token,
            place: None,
        })
    }

    /// The token that a data folder holds, or a new one for it, which is not kept yet.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn of(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(OPERATOR_FILE);
        match fs::read_to_string(&path) {
            Ok(text) if text.trim().len() >= TOKEN_CHARS_MIN => Ok(Self {
                token: Token::of_text(text.trim(), OPERATOR, Role::Admin),
                text: text.trim().to_owned(),
                place: None,
            }),
            Ok(_) => Err(anyhow!(
                "`{}` holds no token: remove it, and another one is made",
                path.display()
            )),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self {
                place: Some(path),
                ..Self::new()?
            }),
            Err(error) => Err(error).with_context(|| format!("cannot read `{}`", path.display())),
        }
    }

    /// Keeps a new one where its owner only reads it.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn keep(&self) -> anyhow::Result<()> {
        let Some(path) = &self.place else {
            return Ok(());
        };
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .with_context(|| format!("cannot write `{}`", path.display()))?;
        writeln!(file, "{}", self.text)?;
        Ok(())
    }
}

/// Notes in a data folder where the run is served, for whoever is at the machine.
///
/// # Errors
/// If it cannot be written.
pub fn note_url(folder: &Path, url: &str) -> anyhow::Result<()> {
    let path = folder.join(URL_FILE);
    fs::write(&path, format!("{url}\n"))
        .with_context(|| format!("cannot write `{}`", path.display()))
}

/// Nothing is served any more.
pub fn forget_url(folder: &Path) {
    // It may never have been noted.
    let _gone = fs::remove_file(folder.join(URL_FILE)).is_ok();
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
            ("certificate = \"a\"", "need each other"),
            ("client_ca = \"a\"", "needs `certificate`"),
            (
                "[[clients]]\nname = \"a\"\nrole = \"read\"",
                "need `client_ca`",
            ),
            ("requests_per_second = 0", "is 0"),
            (
                "[[tokens]]\nname = \"a\"\nrole = \"king\"\nsha256 = \"00\"",
                "64 hex digits",
            ),
            ("tokns = []", "unknown field `tokns`"),
        ] {
            let error = checked(text).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        let king = format!(
            "[[tokens]]\nname = \"a\"\nrole = \"king\"\nsha256 = \"{}\"",
            "0a".repeat(32)
        );
        let error = checked(&king).unwrap_err().to_string();
        assert!(error.contains("role `king` is none of"), "{error}");
    }

    #[test]
    fn the_name_of_a_token_is_checked_wherever_it_is_written() {
        let named = |name: &str| {
            let sum = "0a".repeat(32);
            checked(&format!(
                "[[tokens]]\nname = {name:?}\nrole = \"read\"\nsha256 = \"{sum}\""
            ))
        };
        for good in ["a", "Ada.L-1_x@plant", &"n".repeat(64)] {
            assert!(named(good).is_ok(), "{good}");
        }
        for (bad, says) in [
            ("", "is empty"),
            (&*"n".repeat(65), "has 65 bytes; at most 64"),
            ("ada l", "holds ' '"),
            ("ada:1", "`ada:1`, holds ':'"),
            ("ad\u{e4}", "holds 'ä'"),
        ] {
            let error = named(bad).unwrap_err().to_string();
            assert!(
                error.starts_with("access: ") && error.contains(says),
                "{error}"
            );
            let error = check_name(bad).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        let error = check_name("a\u{1b}[2J").unwrap_err().to_string();
        assert!(!error.contains('\u{1b}'), "{error}");
    }

    #[test]
    fn the_token_of_the_machine_is_made_once_and_is_nobody_elses_to_read() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let first = Operator::of(folder.path()).unwrap();
        first.keep().unwrap();
        let path = folder.path().join(OPERATOR_FILE);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = Operator::of(folder.path()).unwrap();
        assert_eq!(again.token.digest, first.token.digest);
        again.keep().unwrap();
        fs::write(&path, "\n").unwrap();
        assert!(Operator::of(folder.path()).is_err());
    }
}
