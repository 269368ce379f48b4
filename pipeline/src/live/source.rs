//! Where messages come from: the embedded endpoint, or a broker.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use andon_emit::mqtt::{self, Publisher};
use andon_engine::Plant;
use andon_ingest::delivery::{Delivery, Settle};
use andon_ingest::endpoint::{
    Anonymous, Authority, Endpoint, Limits, Origin, Principal, Refusal, Role, Secret,
};
use andon_ingest::subscriber::{self, Health, Subscriber};
use anyhow::{Context as _, anyhow};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::config::{Broker, Config, Mqtt};
use crate::exit::usage;
use crate::live::outlet::{Errand, Outgoing, Outlet};
use crate::signals::{Stop, hangups, stopped};

/// Holds the password of the built-in reader, in the data folder.
const TOKEN: &str = "reader.token";

/// How long the end of a run waits for what it published to be acknowledged.
const GOODBYE_WITHIN: Duration = Duration::from_secs(5);

/// An open source.
#[expect(
    missing_debug_implementations,
    reason = "the way back is a trait object"
)]
pub struct Source {
    /// What comes in; ends once the source has been stopped and everything was taken.
    pub deliveries: mpsc::Receiver<Delivery>,
    /// The way back for receipts.
    pub settle: Arc<dyn Settle>,
    /// What to tell the person at the keyboard.
    pub welcome: Vec<String>,
    outlet: Option<Outlet>,
    publishing: Option<JoinHandle<()>>,
    refusals: Option<mpsc::Receiver<Refusal>>,
    /// A hangup signal has come.
    reloads: Arc<AtomicBool>,
    /// The password of the built-in reader, if it is new.
    token: Option<String>,
    /// Of a broker.
    health: Option<watch::Receiver<Health>>,
    /// The broker has been reached at least once.
    reached: Arc<AtomicBool>,
}

impl Source {
    /// Opens what the configuration names.
    ///
    /// # Errors
    /// If the address cannot be listened on, or the options cannot work. A broker that is absent
    /// is no error: it is waited for.
    pub fn open(
        runtime: &Runtime,
        config: &Config,
        plant: &Arc<Plant>,
        stop: Stop,
    ) -> anyhow::Result<Self> {
        match &config.mqtt {
            Mqtt::Listen(address) => Self::listen(runtime, config, plant, address, stop),
            Mqtt::Broker(broker) => Self::subscribe(runtime, plant, broker, stop),
        }
    }

    /// Keeps the password of the built-in reader in a folder, readable by its owner only; the next
    /// run goes on with it.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn keep_token(&mut self, folder: &Path) -> anyhow::Result<()> {
        use std::io::Write as _;
        use std::os::unix::fs::OpenOptionsExt as _;
        let Some(token) = self.token.take() else {
            return Ok(());
        };
        let path = folder.join(TOKEN);
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("cannot write `{}`", path.display()))?;
        writeln!(file, "{token}")?;
        Ok(())
    }

    /// The way out, once.
    pub fn outlet(&mut self) -> Outlet {
        self.outlet.take().unwrap_or(Outlet::None)
    }

    /// Whether silence means that nothing happens: the endpoint always is live, a broker only
    /// while it is connected.
    pub fn is_live(&self) -> bool {
        self.health
            .as_ref()
            .is_none_or(|health| matches!(*health.borrow(), Health::Connected { .. }))
    }

    /// Why the broker has never been reached; `None` if it has, or if there is none to reach.
    pub fn never_reached(&self) -> Option<String> {
        let health = self.health.as_ref()?;
        if self.reached.load(Ordering::Relaxed) {
            return None;
        }
        Some(match &*health.borrow() {
            Health::Connected { .. } => return None,
            Health::Refused { reason } => reason.clone(),
            Health::Connecting { last_error, .. } => {
                last_error.clone().unwrap_or_else(|| "no answer".to_owned())
            }
        })
    }

    /// Whether a hangup signal asked for inventory and profiles to be read again; once for each.
    pub fn wants_reload(&mut self) -> bool {
        self.reloads.swap(false, Ordering::Relaxed)
    }

    /// The next message that the endpoint turned away, if there is one.
    pub fn next_refusal(&mut self) -> Option<Refusal> {
        self.refusals.as_mut()?.try_recv().ok()
    }

    /// Waits until what was published has arrived. The outlet must be gone.
    pub fn close(mut self, runtime: &Runtime) {
        if let Some(publishing) = self.publishing.take()
            && runtime.block_on(publishing).is_err()
        {
            tracing::error!("the publisher ended by a panic");
        }
    }

    fn listen(
        runtime: &Runtime,
        config: &Config,
        plant: &Arc<Plant>,
        address: &str,
        stop: Stop,
    ) -> anyhow::Result<Self> {
        let kept = kept_token(&config.data)?;
        let token = kept.clone().map_or_else(new_token, Ok)?;
        let mut principals = config.principals.clone();
        principals.push(Principal {
            name: "reader".to_owned(),
            role: Role::Reader,
            secret: Secret::of_password(token.as_bytes()),
        });
        let anonymous = Anonymous {
            from: Origin::Loopback,
            ..Anonymous::default()
        };
        let authority = Authority::new(principals, anonymous).map_err(usage)?;
        let (mut endpoint, deliveries) = runtime
            .block_on(Endpoint::bind(address, authority, Limits::default()))
            .with_context(|| format!("cannot listen on `{address}`"))
            .map_err(usage)?;
        let site = &plant.inventory().site;
        let local = endpoint.local_addr();
        let welcome = vec![
            format!("listening on mqtt://{local}"),
            format!("publish to    andon/v1/in/{site}/DEVICE/flow|reading|attestation|resolution"),
            format!(
                "read from     andon/v1/out/{site}/# as user `reader`, password in {}",
                config.data.join(TOKEN).display()
            ),
        ];
        let refusals = endpoint.refusals();
        let settle = Arc::new(endpoint.settle_handle());
        let outlet = Some(Outlet::Endpoint(endpoint.publisher()));
        let stopped = stopped(runtime, stop);
        runtime.spawn(async move {
            stopped.await;
            let counts = endpoint.shutdown().await;
            tracing::info!(?counts, "endpoint closed");
        });
        Ok(Self {
            deliveries,
            settle,
            welcome,
            outlet,
            publishing: None,
            refusals,
            reloads: hangups(runtime),
            token: kept.is_none().then_some(token),
            health: None,
            reached: Arc::default(),
        })
    }

    fn subscribe(
        runtime: &Runtime,
        plant: &Arc<Plant>,
        broker: &Broker,
        stop: Stop,
    ) -> anyhow::Result<Self> {
        let site = &plant.inventory().site;
        let filters = vec![format!("andon/v1/in/{site}/#")];
        let mut options =
            subscriber::Options::new(broker.address.clone(), &broker.client_id, filters);
        options.credentials.clone_from(&broker.credentials);
        options.trusted_topics = broker.trusted_topics;
        let guard = runtime.enter();
        let (subscriber, deliveries) = Subscriber::start(options).map_err(usage)?;
        let (queue, outgoing) = mpsc::channel(1_024);
        let client_id = format!("{}-out", broker.client_id);
        let out = Publisher::start(publisher_options(broker, &client_id)).map_err(usage)?;
        drop(guard);
        let welcome = vec![format!(
            "reading andon/v1/in/{site}/# from {}",
            broker.address
        )];
        let settle = Arc::new(subscriber.settle_handle());
        let health = subscriber.health();
        let reached = Arc::new(AtomicBool::new(false));
        runtime.spawn(watch_health(health.clone(), reached.clone()));
        let publishing = Some(runtime.spawn(publish(out, outgoing)));
        let stopped = stopped(runtime, stop);
        runtime.spawn(async move {
            stopped.await;
            subscriber.shutdown().await;
        });
        let outlet = Some(Outlet::Broker(queue));
        Ok(Self {
            deliveries,
            settle,
            welcome,
            outlet,
            publishing,
            refusals: None,
            reloads: hangups(runtime),
            token: None,
            health: Some(health),
            reached,
        })
    }
}

/// Whether whoever sends messages from there can prove who he is.
pub fn proves_senders(mqtt: &Mqtt) -> bool {
    match mqtt {
        Mqtt::Listen(_) => true,
        Mqtt::Broker(broker) => broker.trusted_topics,
    }
}

/// How to publish to a broker that is read from.
pub fn publisher_options(broker: &Broker, client_id: &str) -> mqtt::Options {
    let mut options = mqtt::Options::new(broker.address.host(), broker.address.port(), client_id);
    options.credentials = broker
        .credentials
        .as_ref()
        .map(|credentials| mqtt::Credentials {
            user: credentials.user.clone(),
            password: credentials.password.clone(),
        });
    options
}

/// Publishes what comes out until the run ends, then waits a while for all of it to arrive.
async fn publish(publisher: Publisher, mut errands: mpsc::Receiver<Errand>) {
    while let Some(errand) = errands.recv().await {
        match errand {
            Errand::Publish(Outgoing {
                topic,
                payload,
                retain,
            }) => {
                if let Err(error) = publisher.publish(&topic, payload, retain).await {
                    tracing::error!(%topic, "cannot publish: {error}");
                }
            }
            Errand::Flush(told) => {
                // Whoever asked may have stopped waiting.
                let _heard = publisher.flush().await.is_ok() && told.try_send(()).is_ok();
            }
        }
    }
    let left = publisher.shutdown(GOODBYE_WITHIN).await;
    if left > 0 {
        tracing::error!(left, "messages were not acknowledged by the broker");
    }
}

async fn watch_health(mut health: watch::Receiver<Health>, reached: Arc<AtomicBool>) {
    while health.changed().await.is_ok() {
        let now = health.borrow().clone();
        if matches!(now, Health::Connected { .. }) {
            reached.store(true, Ordering::Relaxed);
        }
        tracing::info!(?now, "broker");
    }
}

/// The password of the built-in reader that an earlier run made.
fn kept_token(folder: &Path) -> anyhow::Result<Option<String>> {
    let path = folder.join(TOKEN);
    match fs::read_to_string(&path) {
        Ok(token) if token.trim().len() >= 32 => Ok(Some(token.trim().to_owned())),
        Ok(_) => Err(usage(anyhow!("`{}` holds no token", path.display()))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read `{}`", path.display())),
    }
}

fn new_token() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|e| anyhow!("no randomness for a token: {e}"))?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}
