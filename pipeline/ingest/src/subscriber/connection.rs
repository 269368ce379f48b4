//! The task that keeps a connection to the broker: connects, subscribes, reads, acknowledges.
//!
//! The client library is used for connecting, reading and pinging. Acknowledgements are written to
//! its connection directly: its own queue drops some at a reconnect, sends others late, and flushes
//! after each; here a whole commit's worth goes out in one write. That is sound because its `poll`
//! may be cancelled while it reads: events that it has read stay in its state.

use std::sync::Arc;
use std::time::Duration;

use rumqttc::{
    ConnAck, ConnectReturnCode, ConnectionError, Event, EventLoop, MqttOptions, Packet, PubAck,
    Publish, QoS, SubAck, Subscribe, SubscribeFilter, SubscribeReasonCode,
};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use super::flight::Flight;
use super::health::Reporter;
use super::{Keeping, Options, PACKET_BYTES_MAX};
use crate::delivery::{Delivery, Sender};

/// How long the broker may take to accept what we write, to answer a subscription, and to close
/// after our good-bye.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Packet id of our only subscription; nothing else that we send has one.
const SUBSCRIPTION: u16 = 1;

/// Why a connection, or the attempt at one, ended.
#[derive(Debug)]
enum Ended {
    /// The broker is gone or does not keep to the protocol.
    Lost(String),
    /// The broker does not want us.
    Refused(String),
    /// Told to stop, or nobody takes deliveries any more.
    Stopped,
}

/// See the module.
pub(super) struct Driver {
    events: EventLoop,
    options: Options,
    flight: Arc<Flight>,
    deliveries: mpsc::Sender<Delivery>,
    reporter: Reporter,
    stop: watch::Receiver<bool>,
    /// The broker has accepted the subscription and has not forgotten it.
    is_subscribed: bool,
    /// Until when the broker must answer the subscription.
    answer_due: Option<Instant>,
    /// When to ping by hand, if the library cannot because the socket is not read.
    ping_due: Instant,
}

impl Driver {
    pub(super) fn new(
        options: Options,
        flight: Arc<Flight>,
        deliveries: mpsc::Sender<Delivery>,
        reporter: Reporter,
        stop: watch::Receiver<bool>,
    ) -> Self {
        let address = &options.address;
        let mut mqtt = MqttOptions::new(
            options.client_id.clone(),
            address.bracketed_host(),
            address.port(),
        );
        mqtt.set_clean_session(options.keeping == Keeping::Unwanted)
            .set_manual_acks(true)
            .set_keep_alive(options.keep_alive)
            .set_max_packet_size(PACKET_BYTES_MAX, PACKET_BYTES_MAX);
        if let Some(credentials) = &options.credentials {
            mqtt.set_credentials(&credentials.user, &credentials.password);
        }
        Self {
            events: EventLoop::new(mqtt, 1),
            options,
            flight,
            deliveries,
            reporter,
            stop,
            is_subscribed: false,
            answer_due: None,
            ping_due: Instant::now(),
        }
    }

    /// Connects again and again until it is told to stop.
    pub(super) async fn run(mut self) {
        loop {
            match self.connection().await {
                Ended::Stopped => break,
                Ended::Lost(error) => self.reporter.lost(error),
                Ended::Refused(reason) => {
                    self.is_subscribed = false;
                    self.reporter.refused(reason);
                }
            }
            self.disconnect();
            let pause = self
                .reporter
                .pause(self.options.shortest_pause, self.options.longest_pause);
            tokio::select! {
                () = sleep(pause) => {}
                // Changed to true, or gone with the subscriber.
                _ = self.stop.changed() => return,
            }
        }
        self.drain().await;
        self.disconnect();
    }

    /// One connection, from the attempt to its end.
    async fn connection(&mut self) -> Ended {
        let connected = tokio::select! {
            connected = self.events.poll() => connected,
            _ = self.stop.changed() => return Ended::Stopped,
        };
        let session_present = match connected {
            Ok(Event::Incoming(Packet::ConnAck(ConnAck {
                session_present, ..
            }))) => session_present,
            Ok(other) => return Ended::Lost(format!("the broker began with {other:?}")),
            Err(error) => return describe(&error),
        };
        self.flight.begin();
        self.ping_due = Instant::now() + self.options.keep_alive / 2;
        if self.is_subscribed && !session_present {
            tracing::warn!(
                broker = %self.options.address,
                "the broker has forgotten the session: what it had not yet sent is lost"
            );
            self.is_subscribed = false;
        }
        if self.is_subscribed {
            self.answer_due = None;
            self.reporter.connected();
        } else if let Err(ended) = self.subscribe().await {
            return ended;
        }
        match self.serve().await {
            Ok(()) => Ended::Stopped,
            Err(ended) => ended,
        }
    }

    async fn subscribe(&mut self) -> Result<(), Ended> {
        let filters = self.options.filters.iter().map(|filter| SubscribeFilter {
            path: filter.clone(),
            qos: QoS::AtLeastOnce,
        });
        let mut subscribe = Subscribe::new_many(filters);
        subscribe.pkid = SUBSCRIPTION;
        self.answer_due = Some(Instant::now() + ANSWER_WITHIN);
        self.write([Packet::Subscribe(subscribe)]).await
    }

    /// Reads and acknowledges until told to stop.
    async fn serve(&mut self) -> Result<(), Ended> {
        loop {
            tokio::select! {
                event = self.events.poll() => match event {
                    Ok(Event::Incoming(packet)) => self.take(packet).await?,
                    Ok(Event::Outgoing(_)) => {}
                    Err(error) => return Err(describe(&error)),
                },
                () = self.flight.changed() => self.acknowledge().await?,
                _ = self.stop.changed() => return Ok(()),
                () = reached(self.answer_due) => {
                    return Err(Ended::Lost("the broker did not answer the subscription".to_owned()));
                }
            }
        }
    }

    async fn take(&mut self, packet: Packet) -> Result<(), Ended> {
        match packet {
            Packet::Publish(publish) => {
                self.room().await?;
                let delivery = self.delivery(publish)?;
                // Nobody else sends, so a failure means that nobody takes.
                self.deliveries
                    .try_send(delivery)
                    .map_err(|_| Ended::Stopped)
            }
            Packet::SubAck(answer) => {
                self.answer_due = None;
                check(&answer, &self.options.filters, self.options.keeping)?;
                self.is_subscribed = true;
                self.reporter.connected();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn delivery(&self, publish: Publish) -> Result<Delivery, Ended> {
        let receipt = match publish.qos {
            QoS::AtMostOnce => None,
            QoS::AtLeastOnce => Some(self.flight.enter(publish.pkid)),
            // Never above what was asked for (v3.1.1 §3.8.4).
            QoS::ExactlyOnce => {
                return Err(Ended::Lost("the broker sent a message of QoS 2".to_owned()));
            }
        };
        let device = publish.topic.split('/').nth(self.options.device_level);
        let sender = Sender {
            name: device.unwrap_or_default().to_lowercase(),
            proven: self.options.trusted_topics && device.is_some_and(|name| !name.is_empty()),
        };
        Ok(Delivery {
            topic: publish.topic,
            payload: publish.payload.to_vec(),
            sender,
            receipt,
        })
    }

    /// Waits until a delivery can be handed over. Nothing is read meanwhile, so that the broker has
    /// to wait too; but it must see that we are alive, and get its acknowledgements.
    async fn room(&mut self) -> Result<(), Ended> {
        if self.deliveries.capacity() > 0 {
            return Ok(());
        }
        let room = self.deliveries.clone().reserve_owned();
        tokio::pin!(room);
        loop {
            tokio::select! {
                room = &mut room => {
                    // The broker's answers may wait behind what was not read.
                    self.events.state.await_pingresp = false;
                    let later = Instant::now() + ANSWER_WITHIN;
                    self.answer_due = self.answer_due.map(|_| later);
                    return room.map(drop).map_err(|_| Ended::Stopped);
                }
                () = self.flight.changed() => self.acknowledge().await?,
                () = sleep_until(self.ping_due) => {
                    self.ping_due = Instant::now() + self.options.keep_alive / 2;
                    self.write([Packet::PingReq]).await?;
                }
                _ = self.stop.changed() => return Err(Ended::Stopped),
            }
        }
    }

    async fn acknowledge(&mut self) -> Result<(), Ended> {
        let ready = self.flight.take_ready();
        let packets = ready
            .into_iter()
            .map(|packet| Packet::PubAck(PubAck::new(packet)));
        self.write(packets).await
    }

    async fn write(&mut self, packets: impl IntoIterator<Item = Packet>) -> Result<(), Ended> {
        let Some(network) = self.events.network.as_mut() else {
            return Err(Ended::Lost("the connection is gone".to_owned()));
        };
        let writing = async {
            for packet in packets {
                network.write(packet).await?;
            }
            network.flush().await
        };
        match timeout(ANSWER_WITHIN, writing).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Ended::Lost(error.to_string())),
            Err(_) => Err(Ended::Lost("the broker does not read".to_owned())),
        }
    }

    /// Waits for what was handed over to be settled, acknowledges it, and says good-bye.
    async fn drain(&mut self) {
        // Replaced by one that nobody holds, which ends the receiver of deliveries.
        self.deliveries = mpsc::channel(1).0;
        let due = Instant::now() + self.options.drain_within;
        loop {
            let was_settled = self.flight.is_settled();
            if self.acknowledge().await.is_err() {
                return;
            }
            if was_settled {
                break;
            }
            if timeout_at(due, self.flight.changed()).await.is_err() {
                tracing::warn!(
                    broker = %self.options.address,
                    "stopped with messages that are not acknowledged: they will come again"
                );
                break;
            }
        }
        if let Err(Ended::Lost(error)) = self.write([Packet::Disconnect]).await {
            tracing::debug!(broker = %self.options.address, "good-bye was not heard: {error}");
            return;
        }
        self.hear_out().await;
    }

    /// Reads on until the broker closes. A connection that we close over something unread is reset
    /// by the system, and the broker may never see what it was sent last: the acknowledgements.
    /// What is read now was not handed over, and comes again.
    async fn hear_out(&mut self) {
        let reading = async { while self.events.poll().await.is_ok() {} };
        if timeout(ANSWER_WITHIN, reading).await.is_err() {
            tracing::debug!(broker = %self.options.address, "the broker did not close");
        }
    }

    /// Forgets the connection. Events that were read and not taken must go with it: under the next
    /// connection their packet ids would mean other messages.
    fn disconnect(&mut self) {
        self.flight.end();
        self.events.clean();
        self.events.pending.clear();
        self.events.state.events.clear();
    }
}

/// Waits until the time, for ever if there is none.
async fn reached(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// Checks the broker's answer to the subscription.
fn check(answer: &SubAck, filters: &[String], keeping: Keeping) -> Result<(), Ended> {
    if answer.return_codes.len() != filters.len() {
        return Err(Ended::Lost(format!(
            "the broker answered {} of {} subscriptions",
            answer.return_codes.len(),
            filters.len()
        )));
    }
    let refused: Vec<String> = filters
        .iter()
        .zip(&answer.return_codes)
        .filter_map(|(filter, code)| match code {
            SubscribeReasonCode::Success(QoS::AtMostOnce) if keeping == Keeping::Required => Some(
                format!("{filter:?} was granted without acknowledgements (QoS 0)"),
            ),
            SubscribeReasonCode::Success(_) => None,
            SubscribeReasonCode::Failure => Some(format!("{filter:?} is not allowed")),
        })
        .collect();
    if refused.is_empty() {
        Ok(())
    } else {
        Err(Ended::Refused(format!(
            "subscription to {}",
            refused.join(", ")
        )))
    }
}

/// Whether an error of the client library is the network's doing or a decision of the broker.
fn describe(error: &ConnectionError) -> Ended {
    let ConnectionError::ConnectionRefused(code) = error else {
        return Ended::Lost(error.to_string());
    };
    Ended::Refused(match code {
        ConnectReturnCode::BadUserNamePassword => "user or password is wrong".to_owned(),
        ConnectReturnCode::NotAuthorized => "client is not authorised".to_owned(),
        ConnectReturnCode::BadClientId => "client id is not acceptable".to_owned(),
        ConnectReturnCode::RefusedProtocolVersion => "MQTT v3.1.1 is not acceptable".to_owned(),
        ConnectReturnCode::ServiceUnavailable | ConnectReturnCode::Success => {
            return Ended::Lost("the broker is not available".to_owned());
        }
    })
}
