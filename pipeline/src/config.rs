//! The configuration of a live run: TOML, every key optional, unknown keys are errors.
//!
//! ```toml
//! mode = "monitor"                     # or "enforce"
//! data = "andon-data"                  # log, state, verdicts
//! inventory = "profiles/inventory/precision-parts.yaml"
//! profiles = "profiles"
//! indicators = ["feeds/c2.txt"]        # lists of hostile destinations, or folders of them
//! shadow = "candidate"                 # profiles that are tried out beside; not on Kafka
//! shards = 1
//! http = "127.0.0.1:8080"              # risk, health, metrics; on none unless said
//!
//! [mqtt]
//! listen = "127.0.0.1:1883"            # the embedded endpoint; or:
//! # broker = "mqtt://broker:1883"
//! # client_id = "andon"
//! # user = "andon"
//! # password_file = "andon.password"
//! # trusted_topics = false             # the broker's rules bind topics to identities
//!
//! [[mqtt.principals]]                  # clients of the embedded endpoint that can prove themselves
//! name = "gateway-cnc-1"
//! role = "gateway"                     # device, gateway, sensor, reader, enforcer
//! password_sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
//! ```
//!
//! For `[advisories]` see [`crate::advisories`], for `[[siem]]` [`crate::siem::settings`], for `[[notify]]`
//! [`crate::notify::settings`], for `[opa]` [`crate::opa::settings`], for `[pdp]`
//! [`crate::pdp::settings`], for `[ssf]` [`crate::ssf::settings`]; who may ask over HTTP is said in a
//! section `[access]`: see [`crate::access`]. With a section `[kafka]` the run reads from Kafka instead: see
//! [`crate::kafka::settings`].

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use andon_ingest::endpoint::{Principal, Role, Secret};
use andon_ingest::subscriber::{BrokerAddress, Credentials};
use andon_schemas::command::Mode;
use anyhow::{Context as _, anyhow};
use serde::Deserialize;

use crate::access::{self, digest};
use crate::args::{PlantArgs, RunArgs, check_shards};
use crate::exit::usage;
use crate::kafka::settings::{Section, Settings};
use crate::telling::{Setup, decisions};
use crate::{advisories, notify, opa, pdp, siem, ssf};

/// Where the embedded endpoint listens without a configuration.
const LISTEN: &str = "127.0.0.1:1883";

/// Where a run keeps everything unless it is told.
const DATA: &str = "andon-data";

/// What a run on Kafka that shall have a shadow is told.
const NO_SHADOW_ON_KAFKA: &str = "a shadow runs beside a run on MQTT only, and this one reads from \
     Kafka. Over captured traffic, `andon backtest --compare` says the same.";

/// What a live run is told.
#[derive(Debug)]
pub struct Config {
    /// Monitor or enforce.
    pub mode: Mode,
    /// Folder of log, state and verdicts.
    pub data: PathBuf,
    /// What to measure against.
    pub plant: PlantArgs,
    /// Profiles that the same traffic is measured against beside.
    pub shadow: Option<PathBuf>,
    /// Advisories of known vulnerabilities.
    pub advisories: Vec<PathBuf>,
    /// Threads of the engine.
    pub shards: usize,
    /// Where messages come from.
    pub mqtt: Mqtt,
    /// Clients of the endpoint that can prove who they are.
    pub principals: Vec<Principal>,
    /// Where the console is served.
    pub http: Option<String>,
    /// Who may ask it.
    pub access: access::Settings,
    /// Kafka, if that is where records come from.
    pub kafka: Option<Settings>,
    /// Who else is told of verdicts.
    pub siem: Vec<siem::settings::Settings>,
    /// Who is notified.
    pub notify: Vec<notify::settings::Settings>,
    /// What is done for decision points.
    pub decisions: decisions::Settings,
}

/// Where messages come from.
#[derive(Debug)]
pub enum Mqtt {
    /// The embedded endpoint, at this address.
    Listen(String),
    /// A broker.
    Broker(Broker),
}

/// How to reach a broker.
#[derive(Debug)]
pub struct Broker {
    /// Its address.
    pub address: BrokerAddress,
    /// Name of the session; stable.
    pub client_id: String,
    /// User and password.
    pub credentials: Option<Credentials>,
    /// The broker's rules bind topics to identities.
    pub trusted_topics: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct File {
    mode: Option<String>,
    data: Option<PathBuf>,
    inventory: Option<PathBuf>,
    profiles: Option<PathBuf>,
    indicators: Vec<PathBuf>,
    shadow: Option<PathBuf>,
    shards: Option<usize>,
    http: Option<String>,
    access: access::Section,
    advisories: advisories::Section,
    mqtt: MqttFile,
    kafka: Section,
    pub(crate) siem: Vec<siem::settings::Section>,
    pub(crate) notify: Vec<notify::settings::Section>,
    opa: opa::settings::Section,
    pdp: Option<pdp::settings::Section>,
    ssf: Option<ssf::settings::Section>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct MqttFile {
    listen: Option<String>,
    broker: Option<String>,
    client_id: Option<String>,
    user: Option<String>,
    password_file: Option<PathBuf>,
    trusted_topics: bool,
    principals: Vec<PrincipalFile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PrincipalFile {
    name: String,
    role: String,
    password_sha256: String,
    #[serde(default)]
    serves: Vec<String>,
}

/// What is measured against; the command line wins over the file.
fn plant(
    args: &RunArgs,
    inventory: Option<PathBuf>,
    profiles: Option<PathBuf>,
    indicators: Vec<PathBuf>,
) -> PlantArgs {
    let told = &args.plant;
    PlantArgs {
        inventory: told.inventory.clone().or(inventory),
        profiles: told.profiles.clone().or(profiles),
        indicators: if told.indicators.is_empty() {
            indicators
        } else {
            told.indicators.clone()
        },
    }
}

impl Config {
    /// Reads the file, if there is one; the command line wins over it.
    ///
    /// # Errors
    /// Says what cannot be read or does not go together, with the line where there is one.
    pub fn load(args: &RunArgs) -> anyhow::Result<Self> {
        let file = match &args.config {
            None => File::default(),
            Some(path) => read(path)?,
        };
        let mode = match file.mode.as_deref() {
            None => Mode::Monitor,
            Some(text) => text.parse().map_err(|e| usage(anyhow!("mode: {e}")))?,
        };
        let principals = file
            .mqtt
            .principals
            .iter()
            .map(PrincipalFile::check)
            .collect::<Result<_, _>>()
            .map_err(usage)?;
        let shards = file
            .shards
            .map(check_shards)
            .transpose()
            .map_err(|e| usage(anyhow!("shards: {e}")))?;
        let plant = plant(args, file.inventory, file.profiles, file.indicators);
        let advisories = if args.advisories.is_empty() {
            file.advisories.path.into_iter().collect()
        } else {
            args.advisories.clone()
        };
        let kafka = file.kafka.check(args.kafka.as_deref()).map_err(usage)?;
        let shadow = args.shadow.clone().or(file.shadow);
        let siem = siem::check(&file.siem).map_err(usage)?;
        let notify = notify::check(&file.notify).map_err(usage)?;
        if kafka.is_some() {
            let only_without = [
                (shadow.is_some(), NO_SHADOW_ON_KAFKA),
                (!siem.is_empty(), siem::NOT_ON_KAFKA),
                (!notify.is_empty(), notify::NOT_ON_KAFKA),
            ];
            if let Some((_, why)) = only_without.iter().find(|(is_asked_for, _)| *is_asked_for) {
                return Err(usage(anyhow!(*why)));
            }
        }
        let data = args.data.clone().or(file.data);
        let data = data.unwrap_or_else(|| PathBuf::from(DATA));
        let http = args.http.clone().or(file.http);
        let access = file.access.check().map_err(usage)?;
        let pdp = file.pdp.map(|section| section.check(&data)).transpose();
        let ssf = file.ssf.map(|section| section.check(&data)).transpose();
        let decisions = decisions::Settings {
            opa: file.opa.check().map_err(usage)?,
            pdp: pdp.map_err(usage)?,
            ssf: ssf.map_err(usage)?,
        };
        decisions.check(http.as_deref(), &access).map_err(usage)?;
        Ok(Self {
            mode,
            data,
            plant,
            shadow,
            advisories,
            shards: args.shards.or(shards).unwrap_or(1),
            mqtt: source(args.mqtt.as_deref(), &file.mqtt)?,
            principals,
            http,
            access,
            kafka,
            siem,
            notify,
            decisions,
        })
    }

    /// Who is told of the run, and who may ask.
    pub fn setup<'a>(&'a self, access: &'a access::Settings) -> Setup<'a> {
        Setup {
            http: self.http.as_deref(),
            access,
            decisions: &self.decisions,
            real_time: true,
        }
    }
}

/// Where Kafka is and how to reach it, for commands that need nothing else of the configuration.
///
/// # Errors
/// Says what cannot be read, or that no broker is named.
pub fn kafka(path: Option<&Path>, brokers: Option<&str>) -> anyhow::Result<Settings> {
    let file = path.map(read).transpose()?.unwrap_or_default();
    let settings = file.kafka.check(brokers).map_err(usage)?;
    settings.ok_or_else(|| {
        usage(anyhow!(
            "no broker is named: give `--kafka host:port`, or `-c` with a file that has \
             `brokers` in its section `[kafka]`"
        ))
    })
}

pub(crate) fn read(path: &Path) -> anyhow::Result<File> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read configuration `{}`", path.display()))
        .map_err(usage)?;
    toml::from_str(&text)
        .with_context(|| format!("configuration `{}`", path.display()))
        .map_err(usage)
}

fn source(argument: Option<&str>, file: &MqttFile) -> anyhow::Result<Mqtt> {
    let (listen, broker) = match argument {
        Some(text) if text.contains("://") => (None, Some(text)),
        Some(text) => (Some(text), None),
        None => (file.listen.as_deref(), file.broker.as_deref()),
    };
    match (listen, broker) {
        (Some(_), Some(_)) => Err(usage(anyhow!(
            "mqtt: `listen` and `broker` exclude each other; keep one"
        ))),
        (_, Some(address)) => {
            let address = address.parse::<BrokerAddress>().map_err(usage)?;
            Ok(Mqtt::Broker(Broker {
                address,
                client_id: file.client_id.clone().unwrap_or_else(|| "andon".to_owned()),
                credentials: credentials(file)?,
                trusted_topics: file.trusted_topics,
            }))
        }
        (listen, None) => Ok(Mqtt::Listen(listen.unwrap_or(LISTEN).to_owned())),
    }
}

fn credentials(file: &MqttFile) -> anyhow::Result<Option<Credentials>> {
    let Some(user) = &file.user else {
        return Ok(None);
    };
    let password = match &file.password_file {
        None => String::new(),
        Some(path) => std::fs::read_to_string(path)
            .with_context(|| format!("cannot read password `{}`", path.display()))
            .map_err(usage)?
            .trim_end()
            .to_owned(),
    };
    Ok(Some(Credentials {
        user: user.clone(),
        password,
    }))
}

impl PrincipalFile {
    fn check(&self) -> anyhow::Result<Principal> {
        let name = &self.name;
        let role = match self.role.as_str() {
            "device" => Role::Device,
            "gateway" => Role::Gateway {
                serves: self.serves.clone(),
            },
            "sensor" => Role::Sensor,
            "reader" => Role::Reader,
            "enforcer" => Role::Enforcer,
            other => {
                return Err(anyhow!(
                    "principal `{name}`: role `{other}` is none of device, gateway, sensor, \
                     reader, enforcer"
                ));
            }
        };
        if !self.serves.is_empty() && !matches!(role, Role::Gateway { .. }) {
            return Err(anyhow!("principal `{name}`: only a gateway has `serves`"));
        }
        let digest = digest(&self.password_sha256)
            .ok_or_else(|| anyhow!("principal `{name}`: password_sha256 is not 64 hex digits"))?;
        Ok(Principal {
            name: name.clone(),
            role,
            secret: Secret::from_digest(digest),
        })
    }
}
