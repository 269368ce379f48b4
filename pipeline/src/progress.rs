//! Progress on long work: on a terminal only, and never among the results.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A count that goes up.
#[derive(Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    /// A count of such things; hidden unless standard error is a terminal.
    pub fn new(things: &str) -> Self {
        let target = if std::io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(None, target);
        let template = format!("{{spinner}} {{human_pos}} {things}, {{per_sec}}, {{elapsed}}");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// Sets the count.
    pub fn set(&self, count: u64) {
        self.0.set_position(count);
    }

    /// Takes it off the screen.
    pub fn done(&self) {
        self.0.finish_and_clear();
    }
}
