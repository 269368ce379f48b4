//! What the endpoint has done and what it has turned away, as figures that can be read at any
//! time without stopping it.

use std::sync::atomic::{AtomicU64, Ordering};

/// Declares each figure once: as an atomic for the endpoint and as a number for its readers.
macro_rules! figures {
    ($($(#[$doc:meta])+ $name:ident,)+) => {
        /// The live figures.
        #[derive(Debug, Default)]
        pub(super) struct Counters {
            $(pub(super) $name: Figure,)+
        }

        /// The figures of one moment. All but `connections` only grow.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counts {
            $($(#[$doc])+ pub $name: u64,)+
        }

        impl Counters {
            /// The figures now. Each is exact; together they are not one instant.
            pub(super) fn read(&self) -> Counts {
                Counts { $($name: self.$name.0.load(Ordering::Relaxed),)+ }
            }
        }
    };
}

figures! {
    /// Connections open now, before and after their CONNECT.
    connections,
    /// Connections whose CONNECT was granted.
    accepted,
    /// Connections closed on arrival because of the limits on their number.
    refused_full,
    /// Connections refused for what their CONNECT said: version, client id, identity.
    refused,
    /// Connections without a complete CONNECT in time.
    connect_overdue,
    /// Messages handed over.
    published_in,
    /// Messages whose sender was told that they are safe.
    acknowledged,
    /// Messages put in the queue of a reader.
    published_out,
    /// Messages refused because of who sent them or where to.
    unauthorised,
    /// Filters refused in a subscription.
    subscriptions_refused,
    /// Packets over their size limit.
    oversized,
    /// Connections closed for bytes that are not MQTT, or not allowed at that point.
    malformed,
    /// Connections closed because their peer was silent for 1.5 × its keep-alive, or stopped in
    /// the middle of a packet.
    timed_out,
    /// Connections closed because a newer one came with the same identity and client id.
    taken_over,
    /// Readers cut because they did not keep up.
    slow_readers,
    /// Wills that came with a CONNECT and were set aside.
    wills_ignored,
    /// Messages that should have been retained and did not fit.
    retained_shed,
    /// Messages not sent to a v5 reader because they exceed the packet size it announced.
    too_large_for_reader,
    /// Refusals that were counted but not recorded, because nobody took the earlier ones.
    refusals_shed,
    /// Connections whose task panicked: a defect of ours. Such a connection is closed, the others
    /// go on.
    panics,
    /// Failures to accept a connection (such as no file descriptors left).
    accept_errors,
}

/// One live figure. Relaxed ordering: nothing else is ordered by it.
#[derive(Debug, Default)]
pub(super) struct Figure(AtomicU64);

impl Figure {
    pub(super) fn increment(&self) {
        self.add(1);
    }

    pub(super) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(super) fn decrement(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
