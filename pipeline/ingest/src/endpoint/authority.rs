//! Who may say what, and who may read what: the one place of the endpoint that binds an identity
//! to a topic.
//!
//! A device publishes only below its own `in` branch, a gateway also below those it serves, a
//! sensor below its own, an enforcer its acknowledgements, a reader nothing. Of the `out` branch a
//! device reads only its own enforcement, an enforcer all enforcement, a reader everything: an
//! intruder on a device must not see what we know about it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hint::black_box;
use std::net::IpAddr;

use andon_schemas::identity::DeviceId;
use sha2::{Digest as _, Sha256};

use super::refusal::Reason;
use super::topic::{Filter, Inbound, OUT_BRANCH};
use crate::delivery::Sender;

/// What an authenticated client is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// Speaks for itself.
    Device,
    /// Speaks for itself and for the devices behind it.
    Gateway {
        /// Their ids; case does not matter.
        serves: Vec<String>,
    },
    /// Reports what it sees of others (Zeek, Suricata, a flow collector), under its own name.
    Sensor,
    /// Reads verdicts, risk and enforcement; publishes nothing.
    Reader,
    /// Carries out commands: reads enforcement, publishes acknowledgements.
    Enforcer,
}

/// The SHA-256 digest of a password. A digest without salt protects only passwords that cannot be
/// guessed: use random ones of 128 bits or more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret([u8; 32]);

impl Secret {
    /// From a digest that is already at hand.
    pub fn from_digest(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The digest of a password.
    pub fn of_password(password: &[u8]) -> Self {
        Self(Sha256::digest(password).into())
    }

    /// Compares without an early exit, so that the time taken tells nothing about the secret.
    fn admits(&self, password: &[u8]) -> bool {
        let offered: [u8; 32] = Sha256::digest(password).into();
        let differing = self
            .0
            .iter()
            .zip(&offered)
            .fold(0, |seen, (a, b)| black_box(seen | (a ^ b)));
        black_box(differing) == 0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A client that can prove who it is.
#[derive(Clone, Debug)]
pub struct Principal {
    /// User name at CONNECT and identity afterwards, folded to lower case.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// What it must know.
    pub secret: Secret,
}

/// From where clients without a user name are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Origin {
    /// From nowhere: everybody must authenticate.
    Nowhere,
    /// From this machine.
    #[default]
    Loopback,
    /// From anywhere.
    Anywhere,
}

/// What clients without a user name may do. Where they are accepted they may publish to any topic
/// of the in-branch, but count as unproven, and they read nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Anonymous {
    /// From where they are accepted. By default from this machine.
    pub from: Origin,
    /// Whether one whose client id is a device id may read the enforcement of that device. Client
    /// ids are free to choose, so anyone could. By default not.
    pub own_enforcement: bool,
    /// Whether they may acknowledge commands. By default not.
    pub acknowledge: bool,
}

/// A list of principals that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    /// A name that cannot be a level of a topic, and so could never publish.
    #[error("principal or served device {0:?} cannot be a topic level")]
    Name(String),
    /// Two principals whose names differ in nothing but case.
    #[error("principal {0:?} is listed twice")]
    Duplicate(String),
}

/// Everything the endpoint knows about who is who.
#[derive(Clone, Debug, Default)]
pub struct Authority {
    principals: BTreeMap<String, (Standing, Secret)>,
    anonymous: Anonymous,
}

impl Authority {
    /// Knows these principals and treats everybody else as `anonymous` says.
    ///
    /// # Errors
    /// Names that cannot be a topic level, and duplicates.
    pub fn new(
        principals: impl IntoIterator<Item = Principal>,
        anonymous: Anonymous,
    ) -> Result<Self, AuthorityError> {
        let mut known = BTreeMap::new();
        for Principal { name, role, secret } in principals {
            let standing = Standing::new(role)?;
            if known.insert(folded(&name)?, (standing, secret)).is_some() {
                return Err(AuthorityError::Duplicate(name));
            }
        }
        Ok(Self {
            principals: known,
            anonymous,
        })
    }

    /// Whom a CONNECT comes from; `None` if it must be refused. A client that gives a user name
    /// is never treated as anonymous: it claims to be someone.
    pub(super) fn identify(
        &self,
        user: Option<&str>,
        password: Option<&[u8]>,
        client_id: &str,
        address: IpAddr,
    ) -> Option<Identity> {
        let Some(user) = user else {
            let accepted = match self.anonymous.from {
                Origin::Nowhere => false,
                Origin::Loopback => address.to_canonical().is_loopback(),
                Origin::Anywhere => true,
            };
            let standing = Standing::Anonymous(self.anonymous);
            return accepted.then(|| Identity {
                name: client_id.to_lowercase(),
                standing,
            });
        };
        let name = user.to_lowercase();
        // An unknown name takes as long as a wrong password.
        let nobody = (Standing::Reader, Secret([0; 32]));
        let known = self.principals.get(&name);
        let (standing, secret) = known.unwrap_or(&nobody);
        let proven = secret.admits(password.unwrap_or_default());
        (proven && known.is_some()).then(|| Identity {
            name,
            standing: standing.clone(),
        })
    }
}

/// A role with what it takes to check it.
#[derive(Clone, Debug)]
enum Standing {
    Anonymous(Anonymous),
    /// Speaks for itself and these others (none for a plain device or a sensor).
    Speaker {
        serves: BTreeSet<String>,
    },
    Reader,
    Enforcer,
}

impl Standing {
    fn new(role: Role) -> Result<Self, AuthorityError> {
        Ok(match role {
            Role::Device | Role::Sensor => Self::Speaker {
                serves: BTreeSet::new(),
            },
            Role::Gateway { serves } => Self::Speaker {
                serves: serves
                    .iter()
                    .map(|name| folded(name))
                    .collect::<Result<_, _>>()?,
            },
            Role::Reader => Self::Reader,
            Role::Enforcer => Self::Enforcer,
        })
    }
}

/// The one at the other end of a connection.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    /// Folded. Of an anonymous client it is the client id, and proves nothing.
    name: String,
    standing: Standing,
}

impl Identity {
    /// Who it is, as far as known without a topic.
    pub(super) fn sender(&self) -> Sender {
        Sender {
            name: self.name.clone(),
            proven: !matches!(self.standing, Standing::Anonymous(_)),
        }
    }

    /// As whom it publishes to this topic.
    ///
    /// # Errors
    /// Why it may not.
    pub(super) fn may_publish(&self, topic: &str) -> Result<Sender, Reason> {
        let Inbound { device, kind } = Inbound::parse(topic).ok_or(Reason::OutsideInBranch)?;
        let device = device.to_lowercase();
        let acknowledges = kind == "ack";
        match &self.standing {
            Standing::Anonymous(policy) if acknowledges && !policy.acknowledge => {
                Err(Reason::NotAnEnforcer)
            }
            Standing::Anonymous(_) => Ok(Sender {
                name: device,
                proven: false,
            }),
            Standing::Reader => Err(Reason::ReadOnly),
            Standing::Speaker { .. } if acknowledges => Err(Reason::NotAnEnforcer),
            Standing::Enforcer if !acknowledges => Err(Reason::OnlyAcknowledgements),
            Standing::Speaker { serves } if device == self.name || serves.contains(&device) => {
                Ok(self.sender())
            }
            Standing::Enforcer if device == self.name => Ok(self.sender()),
            Standing::Speaker { .. } | Standing::Enforcer => Err(Reason::ForeignDevice),
        }
    }

    /// Whether it may hold this filter: only if every topic that matches is one it may read.
    pub(super) fn may_subscribe(&self, filter: &Filter) -> bool {
        let own = match &self.standing {
            Standing::Reader => return filter.as_str().starts_with(OUT_BRANCH),
            Standing::Enforcer => None,
            Standing::Speaker { .. } => Some(self.name.as_str()),
            Standing::Anonymous(policy) if policy.own_enforcement => Some(self.name.as_str()),
            Standing::Anonymous(_) => return false,
        };
        let Some(rest) = filter.as_str().strip_prefix(OUT_BRANCH) else {
            return false;
        };
        let mut levels = rest.split('/');
        let (Some(_site), Some(device)) = (levels.next(), levels.next()) else {
            return false;
        };
        // A client id may be `+`, and must not thereby mean everyone.
        levels.eq(["enforcement"]) && own.is_none_or(|own| own == device && device != "+")
    }
}

/// A name in lower case, if it can be the device level of a topic.
fn folded(name: &str) -> Result<String, AuthorityError> {
    match DeviceId::new(name) {
        Ok(id) => Ok(id.as_str().to_owned()),
        Err(_) => Err(AuthorityError::Name(name.to_owned())),
    }
}

#[cfg(test)]
#[path = "tests/authority.rs"]
mod tests;
