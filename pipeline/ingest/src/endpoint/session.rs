//! What a connected client may do and what is done about it: the reading side of a connection
//! after its CONNECT.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mqtt_protocol_core::mqtt::packet::RetainHandling;
use mqtt_protocol_core::mqtt::result_code::{SubackReasonCode, UnsubackReasonCode};
use tokio::io::AsyncRead;
use tokio::sync::mpsc;

use super::authority::Identity;
use super::flight::Admission;
use super::hub::Hub;
use super::input::{Input, Stop};
use super::link::Link;
use super::refusal::{HEAD_BYTES_MAX, Reason, Refusal};
use super::reply;
use super::roster::ClientKey;
use super::topic::{Filter, is_name};
use super::wire::{Fault, Header, Message, Packet, Version, Wanted, kind};
use crate::delivery::{Delivery, Receipt, Sender};

/// A connected client. Dropping it takes the client off the roster.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) hub: Arc<Hub>,
    pub(super) link: Arc<Link>,
    pub(super) identity: Identity,
    pub(super) client: ClientKey,
    pub(super) peer: SocketAddr,
    /// `None` once nothing more is taken in.
    pub(super) deliveries: Option<mpsc::Sender<Delivery>>,
    /// How long the client may be silent: 1.5 × its keep-alive.
    pub(super) idle: Duration,
    pub(super) filters: BTreeSet<Filter>,
}

/// Why the reading side ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The peer has gone or said good-bye; nothing is left to say.
    Left,
    /// We end it, for this reason.
    Because(Fault),
}

impl Session {
    /// Reads packets until there is a reason to stop.
    pub(super) async fn read<R: AsyncRead + Unpin>(&mut self, input: &mut Input<R>) -> Ending {
        loop {
            self.link.outbox_room().await;
            if self.link.version == Version::V3 {
                // A v5 client keeps to the Receive Maximum by itself.
                self.link
                    .unsettled_below(usize::from(self.hub.limits.in_flight))
                    .await;
            }
            let header = match input
                .packet(self.idle, |header| self.body_max(header))
                .await
            {
                Ok(header) => header,
                Err(stop) => return self.stopped(stop),
            };
            let done = match Packet::read(self.link.version, header, input.body()) {
                Ok(packet) => self.act(packet, header).await,
                Err(fault) => Err(self.malformed(fault, input.body())),
            };
            if let Err(ending) = done {
                return ending;
            }
        }
    }

    /// Takes nothing more in, so that the receiver of deliveries can come to its end while
    /// acknowledgements are still awaited.
    pub(super) fn close_intake(&mut self) {
        self.deliveries = None;
    }

    fn body_max(&self, header: Header) -> Result<usize, Fault> {
        match header.kind() {
            kind::PUBLISH => Ok(self.hub.limits.publish_bytes()),
            // Refused before its body is read: there is one CONNECT per connection.
            kind::CONNECT => Err(Fault::ProtocolError),
            _ => Ok(self.hub.limits.control_bytes),
        }
    }

    fn stopped(&self, stop: Stop) -> Ending {
        match stop {
            Stop::Gone => Ending::Left,
            Stop::Overdue => {
                self.hub.counters.timed_out.increment();
                Ending::Because(Fault::KeepAliveTimeout)
            }
            Stop::Oversized(bytes) => self.oversized(None, bytes, &[]),
            Stop::Fault(fault) => self.malformed(fault, &[]),
        }
    }

    fn oversized(&self, topic: Option<String>, bytes: usize, payload: &[u8]) -> Ending {
        self.hub.counters.oversized.increment();
        self.record(topic, bytes, payload, Reason::Oversized);
        Ending::Because(Fault::PacketTooLarge)
    }

    fn malformed(&self, fault: Fault, packet: &[u8]) -> Ending {
        self.hub.counters.malformed.increment();
        self.record(None, packet.len(), packet, Reason::Malformed);
        Ending::Because(fault)
    }

    fn record(&self, topic: Option<String>, bytes: usize, content: &[u8], reason: Reason) {
        let head = content[..content.len().min(HEAD_BYTES_MAX)].to_vec();
        let (sender, peer) = (self.identity.sender(), self.peer);
        self.hub.record(Refusal {
            topic,
            sender,
            peer,
            bytes,
            head,
            reason,
        });
    }

    async fn act(&mut self, packet: Packet, header: Header) -> Result<(), Ending> {
        match packet {
            Packet::Publish(message) => return self.publish(message, header.body).await,
            Packet::Release(packet_id) => self.link.release(packet_id),
            Packet::Subscribe { packet_id, wanted } => self.subscribe(packet_id, wanted)?,
            Packet::Unsubscribe { packet_id, filters } => self.unsubscribe(packet_id, &filters)?,
            Packet::Ping => self.link.reply(&reply::PINGRESP),
            Packet::Disconnect => return Err(Ending::Left),
        }
        Ok(())
    }

    async fn publish(&mut self, message: Message, bytes: usize) -> Result<(), Ending> {
        if message.payload.len() > self.hub.limits.payload_bytes {
            return Err(self.oversized(Some(message.topic), bytes, &message.payload));
        }
        let sender = if is_name(&message.topic, self.hub.limits.topic_bytes) {
            self.identity.may_publish(&message.topic)
        } else {
            Err(Reason::TopicName)
        };
        match sender {
            Ok(sender) => self.hand_over(message, sender).await,
            Err(reason) => self.refuse(message, bytes, reason),
        }
    }

    /// Hands a message over. Waits while nobody takes messages; then nothing more is read.
    async fn hand_over(&mut self, message: Message, sender: Sender) -> Result<(), Ending> {
        let Message {
            topic,
            payload,
            packet_id,
            exactly_once,
        } = message;
        // The place comes first: a message is entered in the flight only when it surely goes.
        let shutting_down = Ending::Because(Fault::ServerShuttingDown);
        let deliveries = self.deliveries.as_ref().ok_or(shutting_down)?;
        let place = deliveries.reserve().await.map_err(|_| shutting_down)?;
        let receipt = match packet_id {
            None => None,
            Some(id) => match self.link.admit(id, exactly_once) {
                Admission::New(number) => Some(Receipt {
                    connection: self.link.number,
                    number,
                }),
                Admission::Pending | Admission::Received => return Ok(()),
                Admission::Full => {
                    let fault = Fault::ReceiveMaximumExceeded;
                    return Err(self.malformed(fault, &payload));
                }
            },
        };
        place.send(Delivery {
            topic,
            payload,
            sender,
            receipt,
        });
        self.hub.counters.published_in.increment();
        Ok(())
    }

    /// Refuses a message. A v5 client is told in the acknowledgement, if there is one to come;
    /// in all other cases closing is the only way not to drop it silently.
    fn refuse(&mut self, message: Message, bytes: usize, reason: Reason) -> Result<(), Ending> {
        self.hub.counters.unauthorised.increment();
        self.record(Some(message.topic), bytes, &message.payload, reason);
        let (code, fault) = match reason {
            Reason::TopicName => (reply::TOPIC_NAME_INVALID, Fault::TopicNameInvalid),
            _ => (reply::NOT_AUTHORISED, Fault::NotAuthorized),
        };
        match message.packet_id {
            Some(packet_id) if self.link.version == Version::V5 => {
                if self.link.refuse(packet_id, message.exactly_once, code) {
                    Ok(())
                } else {
                    Err(self.malformed(Fault::ReceiveMaximumExceeded, &message.payload))
                }
            }
            _ => Err(Ending::Because(fault)),
        }
    }

    fn subscribe(&mut self, packet_id: u16, wanted: Vec<Wanted>) -> Result<(), Ending> {
        let mut codes = Vec::with_capacity(wanted.len());
        let mut replays = Vec::new();
        for Wanted {
            filter: text,
            retained,
        } in wanted
        {
            match self.grant(&text) {
                Ok((filter, new)) => {
                    let wants_retained = match retained {
                        RetainHandling::SendRetained => true,
                        RetainHandling::SendRetainedIfNotExists => new,
                        RetainHandling::DoNotSendRetained => false,
                    };
                    replays.extend(wants_retained.then_some(filter));
                    codes.push(SubackReasonCode::GrantedQos0);
                }
                Err(code) => {
                    self.hub.counters.subscriptions_refused.increment();
                    tracing::debug!(peer = %self.peer, filter = text, "subscription refused");
                    codes.push(code);
                }
            }
        }
        self.answer(reply::suback(self.link.version, packet_id, codes))?;
        for filter in replays {
            self.link.replay(filter);
        }
        Ok(())
    }

    /// Enters a filter, if it may be held. The flag says whether it is new.
    fn grant(&mut self, text: &str) -> Result<(Filter, bool), SubackReasonCode> {
        if text.starts_with("$share/") {
            return Err(SubackReasonCode::SharedSubscriptionsNotSupported);
        }
        let filter = Filter::parse(text, self.hub.limits.topic_bytes)
            .ok_or(SubackReasonCode::TopicFilterInvalid)?;
        if !self.identity.may_subscribe(&filter) {
            return Err(SubackReasonCode::NotAuthorized);
        }
        if self.filters.len() >= self.hub.limits.subscriptions && !self.filters.contains(&filter) {
            return Err(SubackReasonCode::QuotaExceeded);
        }
        let new = self.filters.insert(filter.clone());
        self.hub.subscriptions().add(self.link.number, &filter);
        Ok((filter, new))
    }

    fn unsubscribe(&mut self, packet_id: u16, filters: &[String]) -> Result<(), Ending> {
        let codes = filters.iter().map(|text| {
            let filter = Filter::parse(text, self.hub.limits.topic_bytes);
            let Some(filter) = filter.filter(|filter| self.filters.remove(filter)) else {
                return UnsubackReasonCode::NoSubscriptionExisted;
            };
            self.hub.subscriptions().remove(self.link.number, &filter);
            self.link.forget_replay(&filter);
            UnsubackReasonCode::Success
        });
        let codes = codes.collect();
        self.answer(reply::unsuback(self.link.version, packet_id, codes))
    }

    fn answer<E>(&self, packet: Result<Vec<u8>, E>) -> Result<(), Ending> {
        let packet = packet.map_err(|_| Ending::Because(Fault::ImplementationSpecificError))?;
        self.link.reply(&packet);
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let number = self.link.number;
        {
            let mut subscriptions = self.hub.subscriptions();
            for filter in &self.filters {
                subscriptions.remove(number, filter);
            }
        }
        self.hub.roster().leave(&self.client, number);
    }
}
