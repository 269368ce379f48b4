//! Signals: what asks a run to stop, and what asks it to read its files again.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// When a run stops by itself; a signal always stops it.
#[derive(Clone, Copy, Debug)]
pub struct Stop {
    /// After this long.
    pub after: Option<Duration>,
}

/// Set by every hangup signal, which by custom asks a service to read its files again. On a
/// terminal it means that the terminal is gone, and ends the run: see [`stopped`].
pub fn hangups(runtime: &Runtime) -> Arc<AtomicBool> {
    let asked = Arc::new(AtomicBool::new(false));
    let set = asked.clone();
    let mut hangups = Signals::of(runtime, SignalKind::hangup());
    runtime.spawn(async move {
        loop {
            hangups.next().await;
            set.store(true, Ordering::Relaxed);
        }
    });
    asked
}

/// Waits for a signal to stop, or for the time to be up. Signals count from the call on.
pub fn stopped(runtime: &Runtime, stop: Stop) -> impl Future<Output = ()> + Send + use<> {
    let mut terminations = Signals::of(runtime, SignalKind::terminate());
    let mut interrupts = Signals::of(runtime, SignalKind::interrupt());
    let mut closings = Signals::of(runtime, SignalKind::hangup());
    let on_terminal = std::io::stdout().is_terminal();
    async move {
        let terminal_is_gone = async {
            if on_terminal {
                closings.next().await;
            } else {
                std::future::pending::<()>().await;
            }
        };
        let time_is_up = async {
            match stop.after {
                Some(after) => tokio::time::sleep(after).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = time_is_up => {}
            () = terminations.next() => {}
            () = interrupts.next() => {}
            () = terminal_is_gone => {}
        }
    }
}

/// Signals of one kind; none ever comes if the system does not let us listen.
struct Signals(Option<Signal>);

impl Signals {
    fn of(runtime: &Runtime, kind: SignalKind) -> Self {
        let _guard = runtime.enter();
        let signals = signal(kind);
        if let Err(error) = &signals {
            tracing::warn!("cannot listen for signal {}: {error}", kind.as_raw_value());
        }
        Self(signals.ok())
    }

    async fn next(&mut self) {
        if let Some(signals) = &mut self.0
            && signals.recv().await.is_some()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}

/// Set by a signal to stop, or when the time is up. A second signal ends the process at once:
/// whatever it was doing is made good by whoever goes on.
pub fn stopping(runtime: &Runtime, stop: Stop) -> Arc<AtomicBool> {
    let asked = Arc::new(AtomicBool::new(false));
    let set = asked.clone();
    let first = stopped(runtime, stop);
    let mut terminations = Signals::of(runtime, SignalKind::terminate());
    let mut interrupts = Signals::of(runtime, SignalKind::interrupt());
    runtime.spawn(async move {
        let mut by_signal = 0;
        tokio::pin!(first);
        loop {
            tokio::select! {
                () = &mut first, if !set.load(Ordering::Relaxed) => {
                    set.store(true, Ordering::Relaxed);
                    continue;
                }
                () = terminations.next() => by_signal += 1,
                () = interrupts.next() => by_signal += 1,
            }
            set.store(true, Ordering::Relaxed);
            if by_signal > 1 {
                tracing::warn!("told twice to stop: leaving without a last epoch");
                std::process::exit(EXIT_INTERRUPTED);
            }
        }
    });
    asked
}

/// What a process that was interrupted ends with, by custom.
const EXIT_INTERRUPTED: i32 = 130;
