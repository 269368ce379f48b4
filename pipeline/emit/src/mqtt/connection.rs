//! The task that keeps a connection to the broker and sends what is in the outbox.
//!
//! Messages are written to the client library's connection directly, under packet ids of the
//! outbox's choosing and as many as the window allows before one flush. The library's own queue is
//! not used: it is emptied when the broker has forgotten the session. That its `poll` is cancelled
//! to write does no harm: what it has read stays in its state.

use std::sync::Arc;
use std::time::Duration;

use rumqttc::{
    ConnectReturnCode, ConnectionError, Event, EventLoop, MqttOptions, Packet, Request, StateError,
};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::health::Reporter;
use super::outbox::Outbox;
use super::{Options, PACKET_BYTES_MAX};

/// How long the broker may take to accept one message.
const WRITE_WITHIN: Duration = Duration::from_secs(10);

/// Why a connection, or the attempt at one, ended.
#[derive(Debug)]
enum Ended {
    /// The broker is gone or does not keep to the protocol.
    Lost(String),
    /// The broker does not want us.
    Refused(&'static str),
    /// Told to stop.
    Stopped,
}

/// See the module.
pub(super) struct Driver {
    events: EventLoop,
    options: Options,
    outbox: Arc<Outbox>,
    reporter: Reporter,
    stop: watch::Receiver<bool>,
}

impl Driver {
    pub(super) fn new(
        options: Options,
        outbox: Arc<Outbox>,
        reporter: Reporter,
        stop: watch::Receiver<bool>,
    ) -> Self {
        let mut mqtt = MqttOptions::new(
            options.client_id.clone(),
            options.bracketed_host(),
            options.port,
        );
        // There is nothing that the broker should keep for us: the outbox does.
        mqtt.set_clean_session(true)
            .set_inflight(options.window)
            .set_keep_alive(options.keep_alive)
            .set_max_packet_size(PACKET_BYTES_MAX, PACKET_BYTES_MAX);
        if let Some(credentials) = &options.credentials {
            mqtt.set_credentials(&credentials.user, &credentials.password);
        }
        Self {
            events: EventLoop::new(mqtt, 1),
            options,
            outbox,
            reporter,
            stop,
        }
    }

    /// Connects again and again until it is told to stop.
    pub(super) async fn run(mut self) {
        // However this task ends, nobody may wait for it then.
        let _closing = Closing(Arc::clone(&self.outbox));
        loop {
            match self.connection().await {
                Ended::Stopped => break,
                Ended::Lost(error) => self.reporter.lost(error),
                Ended::Refused(reason) => self.reporter.refused(reason),
            }
            self.disconnect();
            let pause = self
                .reporter
                .pause(self.options.shortest_pause, self.options.longest_pause);
            tokio::select! {
                () = sleep(pause) => {}
                // Changed to true, or gone with the publisher.
                _ = self.stop.changed() => return,
            }
        }
        if let Err(error) = self.say_good_bye().await {
            tracing::debug!(
                broker = self.options.host,
                "good-bye was not heard: {error}"
            );
        }
    }

    /// One connection, from the attempt to its end.
    async fn connection(&mut self) -> Ended {
        let connected = tokio::select! {
            connected = self.events.poll() => connected,
            _ = self.stop.changed() => return Ended::Stopped,
        };
        match connected {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {}
            Ok(other) => return Ended::Lost(format!("the broker began with {other:?}")),
            Err(error) => return describe(&error),
        }
        self.outbox.begin(self.options.window);
        self.reporter.connected();
        loop {
            if let Err(error) = self.send().await {
                return Ended::Lost(error);
            }
            tokio::select! {
                event = self.events.poll() => match event {
                    Ok(Event::Incoming(Packet::PubAck(answer))) => {
                        self.outbox.acknowledge(answer.pkid);
                    }
                    Ok(_) => {}
                    Err(error) => return describe(&error),
                },
                () = self.outbox.added() => {}
                _ = self.stop.changed() => return Ended::Stopped,
            }
        }
    }

    /// Sends everything that the window has room for.
    async fn send(&mut self) -> Result<(), String> {
        let mut is_flush_due = false;
        while let Some(publish) = self.outbox.next_to_send() {
            let request = Request::Publish(publish);
            let packet = self.events.state.handle_outgoing_packet(request);
            let Some(packet) = packet.map_err(|error| error.to_string())? else {
                return Err("a packet id was used twice".to_owned());
            };
            let Some(network) = self.events.network.as_mut() else {
                return Err("the connection is gone".to_owned());
            };
            within(network.write(packet)).await?;
            is_flush_due = true;
        }
        match self.events.network.as_mut() {
            Some(network) if is_flush_due => within(network.flush()).await,
            _ => Ok(()),
        }
    }

    async fn say_good_bye(&mut self) -> Result<(), String> {
        let Some(network) = self.events.network.as_mut() else {
            return Ok(());
        };
        within(network.write(Packet::Disconnect)).await?;
        within(network.flush()).await
    }

    /// Forgets the connection; the outbox has all that must be sent again.
    fn disconnect(&mut self) {
        self.events.clean();
        self.events.pending.clear();
        self.events.state.events.clear();
    }
}

/// Closes the outbox when it is dropped.
struct Closing(Arc<Outbox>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

async fn within(writing: impl Future<Output = Result<(), StateError>>) -> Result<(), String> {
    match timeout(WRITE_WITHIN, writing).await {
        Ok(written) => written.map_err(|error| error.to_string()),
        Err(_) => Err("the broker does not read".to_owned()),
    }
}

/// Whether an error of the client library is the network's doing or a decision of the broker.
fn describe(error: &ConnectionError) -> Ended {
    let ConnectionError::ConnectionRefused(code) = error else {
        return Ended::Lost(error.to_string());
    };
    Ended::Refused(match code {
        ConnectReturnCode::BadUserNamePassword => "user or password is wrong",
        ConnectReturnCode::NotAuthorized => "client is not authorised",
        ConnectReturnCode::BadClientId => "client id is not acceptable",
        ConnectReturnCode::RefusedProtocolVersion => "MQTT v3.1.1 is not acceptable",
        ConnectReturnCode::ServiceUnavailable | ConnectReturnCode::Success => {
            return Ended::Lost("the broker is not available".to_owned());
        }
    })
}
