//! The reading half of a socket, cut into packets: never holds more than a packet may be long,
//! and never waits longer than a packet may take.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::wire::{Fault, Header};

/// What one read asks for, and what a connection may hold without asking the shared budget.
const CHUNK: usize = 8 << 10;
/// A larger buffer is given back once it is empty.
const KEPT: usize = 64 << 10;

/// Why there is no further packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The peer closed, or the network did.
    Gone,
    /// Silence for too long, or a packet that does not end.
    Overdue,
    /// Not MQTT, or not allowed here.
    Fault(Fault),
    /// A packet whose body, of this many bytes, is over its limit. Nothing of it is kept.
    Oversized(usize),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Input<R> {
    socket: R,
    buffer: Vec<u8>,
    /// Length of the packet at the front of `buffer` that was returned last.
    current: usize,
    /// Where its body begins.
    body: usize,
    /// Bytes that all half-received large packets may hold together.
    budget: Arc<Semaphore>,
    held: Option<OwnedSemaphorePermit>,
    packet_within: Duration,
}

impl<R: AsyncRead + Unpin> Input<R> {
    pub(super) fn new(socket: R, budget: Arc<Semaphore>, packet_within: Duration) -> Self {
        Self {
            socket,
            buffer: Vec::new(),
            current: 0,
            body: 0,
            budget,
            held: None,
            packet_within,
        }
    }

    /// Waits for the next packet and forgets the last one. `limit` gives the largest body for a
    /// packet with this header, or refuses the kind; `idle` is how long its first byte may take.
    ///
    /// Dropping the future loses nothing but the wish to read.
    ///
    /// # Errors
    /// See [`Stop`].
    pub(super) async fn packet(
        &mut self,
        idle: Duration,
        limit: impl Fn(Header) -> Result<usize, Fault>,
    ) -> Result<Header, Stop> {
        self.forget();
        let mut deadline = None;
        loop {
            let header = Header::read(&self.buffer).map_err(Stop::Fault)?;
            if let Some(header) = header {
                if header.body > limit(header).map_err(Stop::Fault)? {
                    return Err(Stop::Oversized(header.body));
                }
                let total = header.length + header.body;
                if self.buffer.len() >= total {
                    (self.current, self.body) = (total, header.length);
                    return Ok(header);
                }
                self.claim(total).await?;
            }
            let begun = !self.buffer.is_empty();
            let until = match deadline {
                Some((until, waited_for_begun)) if waited_for_begun == begun => until,
                _ => Instant::now() + if begun { self.packet_within } else { idle },
            };
            deadline = Some((until, begun));
            self.fill(until).await?;
        }
    }

    /// The body of the packet that was returned last.
    pub(super) fn body(&self) -> &[u8] {
        &self.buffer[self.body..self.current]
    }

    /// Reads and drops what still comes, until the peer closes or one of the bounds is reached.
    pub(super) async fn discard(&mut self, mut bytes: usize, within: Duration) {
        self.held = None;
        let until = Instant::now() + within;
        while bytes > 0 {
            self.buffer.clear();
            if self.fill(until).await.is_err() {
                break;
            }
            bytes = bytes.saturating_sub(self.buffer.len());
        }
    }

    fn forget(&mut self) {
        self.buffer.drain(..self.current);
        (self.current, self.body) = (0, 0);
        self.held = None;
        if self.buffer.is_empty() && self.buffer.capacity() > KEPT {
            self.buffer = Vec::new();
        }
    }

    /// Takes the memory of a large packet from the shared budget, once.
    async fn claim(&mut self, total: usize) -> Result<(), Stop> {
        if total > CHUNK && self.held.is_none() {
            let bytes = u32::try_from(total).map_err(|_| Stop::Oversized(total))?;
            let permit = Arc::clone(&self.budget).acquire_many_owned(bytes).await;
            self.held = Some(permit.map_err(|_| Stop::Gone)?);
        }
        Ok(())
    }

    async fn fill(&mut self, until: Instant) -> Result<(), Stop> {
        self.buffer.reserve(CHUNK);
        match timeout_at(until, self.socket.read_buf(&mut self.buffer)).await {
            Err(_) => Err(Stop::Overdue),
            Ok(Err(_) | Ok(0)) => Err(Stop::Gone),
            Ok(Ok(_)) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    fn input(bytes: &[u8]) -> Input<&[u8]> {
        Input::new(bytes, Arc::new(Semaphore::new(1 << 20)), SOON)
    }

    #[tokio::test]
    async fn packets_come_one_by_one_and_the_end_is_seen() {
        let long = [vec![0x30, 0x80, 0x80, 1], vec![7; 16_384]].concat();
        let bytes = [&[0xc0, 0, 0x40, 2, 0, 9][..], &long, &[0xc0, 0]].concat();
        let mut input = input(&bytes);
        for expected in [&[][..], &[0, 9], &[7; 16_384], &[]] {
            input.packet(SOON, |_| Ok(1 << 20)).await.unwrap();
            assert_eq!(input.body(), expected);
        }
        assert_eq!(input.packet(SOON, |_| Ok(1 << 20)).await, Err(Stop::Gone));
    }

    #[tokio::test]
    async fn an_oversized_packet_is_refused_by_its_header() {
        // 256 MiB announced and not one byte of it sent.
        let mut input = input(&[0x30, 0xff, 0xff, 0xff, 0x7f]);
        let stop = input.packet(SOON, |_| Ok(1_000)).await.unwrap_err();
        assert_eq!(stop, Stop::Oversized(268_435_455));
        assert!(input.buffer.capacity() <= 2 * CHUNK);
    }

    #[tokio::test]
    async fn a_remaining_length_of_five_bytes_is_a_fault() {
        let stop = input(&[0x30, 0x80, 0x80, 0x80, 0x80, 1])
            .packet(SOON, |_| Ok(1 << 20))
            .await
            .unwrap_err();
        assert_eq!(stop, Stop::Fault(Fault::MalformedPacket));
    }

    #[tokio::test]
    async fn a_large_packet_waits_for_the_shared_budget_and_gives_it_back() {
        let long = [vec![0x30, 0x80, 0x80, 1], vec![7; 16_384]].concat();
        let budget = Arc::new(Semaphore::new(20_000));
        let held = Arc::clone(&budget)
            .acquire_many_owned(10_000)
            .await
            .unwrap();
        let mut input = Input::new(&long[..], Arc::clone(&budget), SOON);
        let mut packet = Box::pin(input.packet(SOON, |_| Ok(1 << 20)));
        let blocked = std::future::poll_fn(|context| {
            std::task::Poll::Ready(packet.as_mut().poll(context).is_pending())
        });
        assert!(blocked.await);
        drop(held);
        packet.await.unwrap();
        assert!(budget.available_permits() < 20_000);
        input.packet(SOON, |_| Ok(1 << 20)).await.unwrap_err();
        assert_eq!(budget.available_permits(), 20_000);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_and_a_packet_that_does_not_end_are_overdue() {
        let (mut ours, theirs) = tokio::io::duplex(64);
        let budget = Arc::new(Semaphore::new(1));
        let mut input = Input::new(theirs, budget, Duration::from_secs(3));
        let start = Instant::now();
        assert_eq!(
            input.packet(Duration::from_secs(90), |_| Ok(9)).await,
            Err(Stop::Overdue)
        );
        assert_eq!(start.elapsed().as_secs(), 90);
        tokio::io::AsyncWriteExt::write_all(&mut ours, &[0x30, 5, 0])
            .await
            .unwrap();
        let start = Instant::now();
        assert_eq!(
            input.packet(Duration::from_secs(90), |_| Ok(9)).await,
            Err(Stop::Overdue)
        );
        assert_eq!(start.elapsed().as_secs(), 3);
    }
}
