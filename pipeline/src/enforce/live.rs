//! An enforcement point at work: commands from a broker, answers to it.
//!
//! A command is acknowledged to the broker once it is carried out and its answer has arrived there,
//! so that whatever a crash interrupts comes again. The embedded endpoint of a run keeps nothing for
//! those who are away: there an order that goes unanswered is told again by the run.

use std::io::Write;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use andon_emit::mqtt::{self, Publisher};
use andon_ingest::delivery::{Delivery, Receipt, Settle as _};
use andon_ingest::subscriber::{
    self, BrokerAddress, Credentials, Keeping, SettleHandle, Subscriber,
};
use andon_schemas::act::Ack;
use anyhow::{Context as _, anyhow};
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

use super::heard;
use super::keep::Keep;
use super::nft::{Hands, Nft};
use super::point::{Point, Post};
use super::shield::Shields;
use crate::args::{EnforceArgs, Format};
use crate::commands::enforce::plant;
use crate::exit::{Outcome, usage, words};
use crate::signals::{Stop, hangups, stopping};
use crate::wall;

/// How long nothing is done if nothing comes.
const PAUSE: Duration = Duration::from_millis(250);
/// How often the kernel is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How many commands may wait to be taken: each is carried out before the next.
const DELIVERIES: usize = 16;
/// So many commands may wait for their answers to arrive; beyond, they are acknowledged before. A
/// broker sends no more than some that it has no acknowledgement for.
const ANSWERS_UNDER_WAY: usize = 10;
/// How long the end waits for answers to arrive.
const GOODBYE_WITHIN: Duration = Duration::from_secs(5);

/// Restores what stood, then carries out commands until it is told to stop.
///
/// # Errors
/// If the options cannot work, the folder cannot be used, or the kernel refuses what stood before.
pub fn run(
    args: &EnforceArgs,
    address: &str,
    (post, shields): (Post, Shields),
    format: Format,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let broker = broker(args, address)?;
    let shields = shields.with_lifeline(lifeline(&broker));
    let site = shields.inventory().site.clone();
    let enforcer = post.enforcer.clone();
    let (hands, keep) = if args.dry_run {
        (Hands::Paper(String::new()), None)
    } else {
        let keep = Keep::open(&args.data, &site, &enforcer)?;
        (Hands::Kernel(Nft::new(args.nft.as_deref())), Some(keep))
    };
    let mut point = Point::new(post, shields, hands, keep);
    let answers = point
        .restore(wall::now())
        .context("what stood cannot be restored")?;
    let runtime = Runtime::new().context("cannot start the runtime")?;
    let after = args.duration.map(Duration::from_secs_f64);
    let stop = stopping(&runtime, Stop { after });
    let asked = hangups(&runtime);
    let wire = Wire::open(&runtime, args, broker, &site, &enforcer)?;
    let mut shift = Shift {
        point,
        wire,
        unanswered: Vec::new(),
        format,
        out,
    };
    shift.welcome(&site, &enforcer, address)?;
    for ack in answers {
        shift.answer(&runtime, &ack)?;
    }
    let mut looked = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        if let Some(delivery) = shift.wire.next(&runtime) {
            shift.take(&runtime, delivery)?;
        }
        shift.settle();
        if asked.swap(false, Ordering::Relaxed) {
            shift.reload(args);
        }
        shift.tick(&mut looked)?;
    }
    shift.close(&runtime)
}

/// The connection to the broker.
struct Wire {
    subscriber: Subscriber,
    deliveries: Receiver<Delivery>,
    settle: SettleHandle,
    /// None if nothing is answered.
    publisher: Option<Publisher>,
    topic: String,
}

impl Wire {
    fn open(
        runtime: &Runtime,
        args: &EnforceArgs,
        broker: Broker,
        site: &str,
        enforcer: &str,
    ) -> anyhow::Result<Self> {
        let Broker {
            address,
            credentials,
        } = broker;
        let _inside = runtime.enter();
        let publisher = if args.dry_run {
            None
        } else {
            let client_id = format!("andon-enforce-{enforcer}-out");
            let mut options = mqtt::Options::new(address.host(), address.port(), &client_id);
            options.credentials = credentials.as_ref().map(|c| mqtt::Credentials {
                user: c.user.clone(),
                password: c.password.clone(),
            });
            Some(Publisher::start(options).map_err(usage)?)
        };
        // Whoever only looks must not take what the one who acts is to have, nor leave anything.
        let client_id = if args.dry_run {
            format!("andon-enforce-dry-run-{}", std::process::id())
        } else {
            format!("andon-enforce-{enforcer}")
        };
        let filters = vec![heard::filter(site)];
        let mut options = subscriber::Options::new(address, &client_id, filters);
        options.credentials = credentials;
        options.deliveries = DELIVERIES;
        options.keeping = if args.dry_run {
            Keeping::Unwanted
        } else {
            Keeping::Wished
        };
        let (subscriber, deliveries) = Subscriber::start(options).map_err(usage)?;
        Ok(Self {
            settle: subscriber.settle_handle(),
            subscriber,
            deliveries,
            publisher,
            topic: format!("andon/v1/in/{site}/{enforcer}/ack"),
        })
    }

    /// What comes within a short while.
    fn next(&mut self, runtime: &Runtime) -> Option<Delivery> {
        let coming = async { timeout(PAUSE, self.deliveries.recv()).await };
        runtime.block_on(coming).ok().flatten()
    }
}

/// An enforcement point with all it works with.
struct Shift<'a, W> {
    point: Point<Hands>,
    wire: Wire,
    /// Commands that are carried out and whose answers are under way.
    unanswered: Vec<Receipt>,
    format: Format,
    out: &'a mut W,
}

impl<W: Write> Shift<'_, W> {
    fn welcome(&mut self, site: &str, enforcer: &str, address: &str) -> anyhow::Result<()> {
        let filter = heard::filter(site);
        let stand = self.point.orders().len();
        self.say(&format!(
            "{enforcer} reads {filter} from {address}; {stand} orders stand"
        ))?;
        self.show()
    }

    fn take(&mut self, runtime: &Runtime, delivery: Delivery) -> anyhow::Result<()> {
        let Delivery {
            topic,
            payload,
            receipt,
            ..
        } = delivery;
        if let Some(ack) = self.point.hear(&topic, &payload, wall::now()) {
            self.answer(runtime, &ack)?;
        }
        self.unanswered.extend(receipt);
        self.show()
    }

    fn answer(&mut self, runtime: &Runtime, ack: &Ack) -> anyhow::Result<()> {
        if let Some(publisher) = &self.wire.publisher {
            let payload = serde_json::to_vec(ack)?;
            let published = publisher.publish(&self.wire.topic, payload, false);
            match runtime.block_on(async { timeout(GOODBYE_WITHIN, published).await }) {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!("cannot answer: {error}"),
                Err(_) => tracing::error!("cannot answer: too many answers are under way"),
            }
        }
        match self.format {
            Format::Json => writeln!(self.out, "{}", serde_json::to_string(ack)?)?,
            Format::Text => {
                let key = ack.key.as_deref().unwrap_or_default();
                self.say(&format!("{key}  {}  {}", ack.result, ack.detail))?;
            }
        }
        Ok(self.out.flush()?)
    }

    /// Tells people something: between rulesets, as a comment.
    fn say(&mut self, text: &str) -> anyhow::Result<()> {
        if self.format == Format::Text {
            let is_paper = matches!(self.point.kernel(), Hands::Paper(_));
            writeln!(self.out, "{}{text}", if is_paper { "# " } else { "" })?;
        }
        Ok(())
    }

    /// Prints the ruleset of whoever only says what would be done, if there is a new one.
    fn show(&mut self) -> anyhow::Result<()> {
        if let Hands::Paper(script) = self.point.kernel() {
            let script = std::mem::take(script);
            match self.format {
                Format::Text => self.out.write_all(script.as_bytes())?,
                Format::Json if script.is_empty() => {}
                Format::Json => writeln!(self.out, "{}", json!({ "ruleset": script }))?,
            }
        }
        Ok(self.out.flush()?)
    }

    /// Acknowledges commands whose answers have arrived.
    fn settle(&mut self) {
        let under_way = self
            .wire
            .publisher
            .as_ref()
            .map_or(0, Publisher::unacknowledged);
        if under_way == 0 || self.unanswered.len() > ANSWERS_UNDER_WAY {
            self.wire.settle.settle(&self.unanswered);
            self.unanswered.clear();
        }
    }

    fn tick(&mut self, looked: &mut Instant) -> anyhow::Result<()> {
        let now = wall::now();
        let mut done = self.point.tick(now);
        if looked.elapsed() >= LOOK_EVERY {
            *looked = Instant::now();
            done = done.and(self.point.look(now));
        }
        if let Err(reason) = done {
            tracing::error!("what stands is not in force, trying again: {reason}");
        }
        self.show()
    }

    /// Goes on with the files as they are now, if they can be used.
    fn reload(&mut self, args: &EnforceArgs) {
        let moved = plant(args).and_then(|(post, shields)| {
            let moved = self.point.move_to(post, shields, wall::now());
            moved.map_err(anyhow::Error::msg)
        });
        match moved {
            Ok(()) => tracing::info!("inventory and profiles were read again and are in force"),
            Err(error) => tracing::error!(
                "inventory and profiles cannot be used, the former ones stay in force: {}",
                words(&error)
            ),
        }
    }

    /// Carries out what has come already, waits a while for answers to arrive, and says good-bye.
    /// What stands goes on standing.
    fn close(mut self, runtime: &Runtime) -> anyhow::Result<Outcome> {
        while let Ok(delivery) = self.wire.deliveries.try_recv() {
            self.take(runtime, delivery)?;
        }
        self.sum_up()?;
        let Wire {
            subscriber,
            mut deliveries,
            settle,
            publisher,
            ..
        } = self.wire;
        if let Some(publisher) = publisher {
            let left = runtime.block_on(publisher.shutdown(GOODBYE_WITHIN));
            if left > 0 {
                tracing::error!(left, "answers were not acknowledged by the broker");
            }
        }
        settle.settle(&self.unanswered);
        runtime.block_on(async {
            // What comes now is not taken: it comes again.
            let passing = async { while deliveries.recv().await.is_some() {} };
            tokio::join!(subscriber.shutdown(), passing);
        });
        Ok(Outcome::Done)
    }

    /// What was heard and done.
    fn sum_up(&mut self) -> anyhow::Result<()> {
        let counts = self.point.counts();
        if self.format == Format::Json {
            writeln!(self.out, "{}", serde_json::to_string(&counts)?)?;
        }
        self.say(&format!(
            "{} done, {} failed, {} unreadable, {} of others; {} orders stand",
            counts.done,
            counts.failed,
            counts.unreadable,
            counts.foreign,
            self.point.orders().len()
        ))
    }
}

/// How to reach the broker.
struct Broker {
    address: BrokerAddress,
    credentials: Option<Credentials>,
}

fn broker(args: &EnforceArgs, address: &str) -> anyhow::Result<Broker> {
    let text = if address.contains("://") {
        address.to_owned()
    } else {
        format!("mqtt://{address}")
    };
    let credentials = match &args.user {
        None => None,
        Some(user) => Some(Credentials {
            user: user.clone(),
            password: match &args.password_file {
                None => String::new(),
                Some(path) => std::fs::read_to_string(path)
                    .with_context(|| format!("cannot read password `{}`", path.display()))
                    .map_err(usage)?
                    .trim_end()
                    .to_owned(),
            },
        }),
    };
    Ok(Broker {
        address: text.parse().map_err(|error| usage(anyhow!("{error}")))?,
        credentials,
    })
}

/// Where commands come from: whoever stands there must not be cut, or nobody could lift it.
fn lifeline(broker: &Broker) -> Vec<IpAddr> {
    let host = (broker.address.host(), broker.address.port());
    match host.to_socket_addrs() {
        Ok(addresses) => addresses.map(|a| a.ip().to_canonical()).collect(),
        Err(error) => {
            tracing::warn!("the address of the broker is not known: {error}");
            Vec::new()
        }
    }
}
