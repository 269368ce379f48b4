//! Who may ask for what: tokens, client certificates, roles, names of this host, and how often.

mod pace;
mod tls;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use andon_schemas::hex;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

pub(crate) use self::pace::Pace;
pub(crate) use self::tls::{Named, Tls};

/// Requests of one client in a second, unless it is said otherwise.
const REQUESTS_PER_SECOND: u32 = 20_000;
/// Changes that one client may ask for in a second, after a burst.
const CHANGES: (u32, u32) = (5, 30);
/// Wrong tokens that one address may show in a second, after a burst.
const FAILURES: (u32, u32) = (2, 20);
/// Begins every token, so that one that was put somewhere by mistake is found.
const PREFIX: &str = "andon_";

/// What somebody may do. Each may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Ask.
    Read,
    /// Decide about commands and devices.
    Respond,
    /// Everything.
    Admin,
}

impl Role {
    /// The role as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Respond => "respond",
            Self::Admin => "admin",
        }
    }
}

impl FromStr for Role {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "read" => Ok(Self::Read),
            "respond" => Ok(Self::Respond),
            "admin" => Ok(Self::Admin),
            other => Err(format!("role `{other}` is none of read, respond, admin")),
        }
    }
}

/// A token that is known by its digest only: whoever reads the configuration cannot use it.
#[derive(Clone, Debug)]
pub struct Token {
    /// Whose it is; written down with everything that is done with it.
    pub name: String,
    /// What it allows.
    pub role: Role,
    /// SHA-256 of the token.
    pub digest: [u8; 32],
}

impl Token {
    /// Makes a token of 32 random bytes; returns it as it is shown, once.
    pub fn of_bytes(bytes: &[u8; 32], name: &str, role: Role) -> (String, Self) {
        let text = format!("{PREFIX}{}", hex(bytes));
        let token = Self::of_text(&text, name, role);
        (text, token)
    }

    /// The token of this text.
    pub fn of_text(text: &str, name: &str, role: Role) -> Self {
        Self {
            name: name.to_owned(),
            role,
            digest: Sha256::digest(text.as_bytes()).into(),
        }
    }
}

/// A client that proves itself by a certificate.
#[derive(Clone, Debug)]
pub struct Client {
    /// A name that stands in its certificate as a DNS name.
    pub name: String,
    /// What it may do.
    pub role: Role,
}

/// Certificates, as PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificates {
    /// Ours, and those that lead to who signed it.
    pub certificate: PathBuf,
    /// Our key.
    pub key: PathBuf,
    /// Who signs certificates of clients; without it clients have none.
    pub client_ca: Option<PathBuf>,
}

/// Who may ask for what.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Tokens. Without any, everybody on this machine may read.
    pub tokens: Vec<Token>,
    /// A token of those who are at this machine: with it alone, reading stays open to all there.
    pub operator: Option<Token>,
    /// Clients with certificates.
    pub clients: Vec<Client>,
    /// Certificates.
    pub certificates: Option<Certificates>,
    /// Further names by which this host is asked on loopback, such as that of a proxy before it.
    pub hosts: Vec<String>,
    /// Requests of one client in a second; `None` for 20,000.
    pub requests_per_second: Option<u32>,
}

/// An address that may not be served as it is asked.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// Whoever reaches the address could read and do everything.
    #[error(
        "`{address}` can be reached by others, and {missing}: without both it is not served. \
         Listen on loopback, or see `andon token create` and the section `[access]`"
    )]
    Open {
        /// The address.
        address: SocketAddr,
        /// What is missing.
        missing: &'static str,
    },
    /// Certificates that cannot be used.
    #[error("{0}")]
    Tls(String),
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) name: Arc<str>,
    pub(crate) role: Role,
}

/// Why somebody is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// No token, and one is needed.
    Nobody,
    /// A token that is none of ours.
    Stranger,
    /// It is not called by a name of ours.
    OtherHost,
    /// Too often; come again after so many seconds.
    TooOften(u64),
    /// It may not do that.
    NotAllowed(Role),
}

/// The gate that every request passes.
#[derive(Debug)]
pub(crate) struct Gate {
    access: Access,
    is_loopback: bool,
    pace: Pace,
    changes: Pace,
    failures: Pace,
}

/// What the gate looks at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) host: Option<&'a str>,
    pub(crate) authorization: Option<&'a str>,
    /// Who proved itself by a certificate.
    pub(crate) named: Option<&'a Named>,
    pub(crate) peer: IpAddr,
    pub(crate) needs: Role,
}

impl Gate {
    /// The gate of an address.
    ///
    /// # Errors
    /// If others reach the address, and what keeps it safe is missing.
    pub(crate) fn of(access: Access, address: SocketAddr) -> Result<Self, AccessError> {
        let is_loopback = address.ip().to_canonical().is_loopback();
        let proves = !access.tokens.is_empty() || !access.clients.is_empty();
        let missing = match (access.certificates.is_some(), proves) {
            (true, true) => None,
            (false, true) => Some("there is no certificate"),
            (true, false) => Some("there is no token"),
            (false, false) => Some("there is neither a certificate nor a token"),
        };
        if let Some(missing) = missing.filter(|_| !is_loopback) {
            return Err(AccessError::Open { address, missing });
        }
        let rate = access.requests_per_second.unwrap_or(REQUESTS_PER_SECOND);
        Ok(Self {
            pace: Pace::of(rate, rate),
            changes: Pace::of(CHANGES.0, CHANGES.1),
            failures: Pace::of(FAILURES.0, FAILURES.1),
            is_loopback,
            access,
        })
    }

    /// Who asks, if it may.
    pub(crate) fn pass(&self, request: &Request<'_>) -> Result<Identity, Denied> {
        if self.is_loopback && !request.host.is_some_and(|host| self.is_ours(host)) {
            return Err(Denied::OtherHost);
        }
        let identity = self.identify(request)?;
        if identity.role < request.needs {
            // Whoever showed nothing is told to.
            return Err(match request.authorization {
                None => Denied::Nobody,
                Some(_) => Denied::NotAllowed(request.needs),
            });
        }
        // A browser sends a certificate by itself, a token it does not.
        if request.needs > Role::Read && request.authorization.is_none() {
            return Err(Denied::Nobody);
        }
        let key = (&*identity.name, request.peer);
        self.pace.step(&key).map_err(Denied::TooOften)?;
        if request.needs > Role::Read {
            self.changes.step(&key).map_err(Denied::TooOften)?;
        }
        Ok(identity)
    }

    fn identify(&self, request: &Request<'_>) -> Result<Identity, Denied> {
        if let Some(shown) = request.authorization {
            // Whoever shares an address with somebody who tries tokens out keeps his own.
            return self.bearer(shown).ok_or_else(|| {
                let counted = self.failures.step(&request.peer);
                counted.map_or_else(Denied::TooOften, |()| Denied::Stranger)
            });
        }
        if let Some(named) = request.named {
            return Ok(Identity {
                name: named.name.clone(),
                role: named.role,
            });
        }
        if self.is_loopback && self.access.tokens.is_empty() && self.access.clients.is_empty() {
            return Ok(Identity {
                name: "loopback".into(),
                role: Role::Read,
            });
        }
        Err(Denied::Nobody)
    }

    /// Looks at every token, whichever it is: how long it takes tells nothing.
    fn bearer(&self, shown: &str) -> Option<Identity> {
        let (scheme, token) = shown.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let digest: [u8; 32] = Sha256::digest(token.trim().as_bytes()).into();
        let mut found = None;
        for known in self.access.tokens.iter().chain(&self.access.operator) {
            if bool::from(known.digest.ct_eq(&digest)) {
                found = Some(known);
            }
        }
        found.map(|token| Identity {
            name: token.name.as_str().into(),
            role: token.role,
        })
    }

    /// Whether a name in `Host` is one of ours: a page of another name that leads here by a trick
    /// of DNS must not read what it gets.
    fn is_ours(&self, host: &str) -> bool {
        let name = match host.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => host.split(':').next().unwrap_or_default(),
        };
        name.eq_ignore_ascii_case("localhost")
            || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
            || self
                .access
                .hosts
                .iter()
                .any(|known| known.eq_ignore_ascii_case(name))
    }
}
