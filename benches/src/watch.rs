//! The stopwatch, and what the process holds in memory.

use std::time::{Duration, Instant};

/// How long one piece of work took, several times over.
#[derive(Clone, Debug)]
pub struct Runs {
    /// Shortest first.
    seconds: Vec<f64>,
}

impl Runs {
    /// Times `work`, `times` times (at least once).
    pub fn of(times: usize, mut work: impl FnMut()) -> Self {
        Self::timed(times, || {
            let began = Instant::now();
            work();
            began.elapsed()
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
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| {
            rest.trim()
                .trim_end_matches("kB")
                .trim()
                .parse::<u64>()
                .ok()
        });
    kib.unwrap_or(0) * 1024
}
