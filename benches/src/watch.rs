//! The stopwatch, and what the process holds in memory.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// Time this thread has been on a processor: what others do on the machine does not count.
/// It moves in steps of some milliseconds, so it is for work of a tenth of a second and more. Wall
/// time where the system does not say.
pub fn busy() -> Duration {
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    told.and_then(|told| told.split(' ').next()?.parse().ok())
        .map_or_else(|| BEGAN.elapsed(), Duration::from_nanos)
}

/// How long one piece of work took, several times over.
#[derive(Clone, Debug)]
pub struct Runs {
    /// Shortest first.
    seconds: Vec<f64>,
}

impl Runs {
    /// Times `work`, `times` times (at least once): the time its thread was [`busy`].
    pub fn of(times: usize, mut work: impl FnMut()) -> Self {
        Self::timed(times, || {
            let began = busy();
            work();
            busy().saturating_sub(began)
        })
    }

    /// Collects what `work` itself measured, for work that must prepare something each time.
    pub fn timed(times: usize, mut work: impl FnMut() -> Duration) -> Self {
        let mut seconds: Vec<f64> = (0..times.max(1)).map(|_| work().as_secs_f64()).collect();
        seconds.sort_by(f64::total_cmp);
        Self { seconds }
    }

    /// The shortest run: what the machine can do when nobody else uses it.
    pub fn best(&self) -> f64 {
        self.seconds[0]
    }

    /// The run in the middle.
    pub fn median(&self) -> f64 {
        self.seconds[self.seconds.len() / 2]
    }

    /// The longest run.
    pub fn worst(&self) -> f64 {
        self.seconds[self.seconds.len() - 1]
    }
}

/// Bytes of memory the process holds; 0 where the system does not say.
pub fn resident_bytes() -> u64 {
    told("VmRSS:")
}

/// The most bytes of memory the process ever held; 0 where the system does not say.
pub fn peak_bytes() -> u64 {
    told("VmHWM:")
}

fn told(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| {
            rest.trim()
                .trim_end_matches("kB")
                .trim()
                .parse::<u64>()
                .ok()
        });
    kib.unwrap_or(0) * 1024
}
