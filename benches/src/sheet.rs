//! The table a bench prints.
#![expect(
    clippy::print_stdout,
    reason = "a bench is a program that prints its figures"
)]

use crate::watch::Runs;

const COLUMNS: [&str; 5] = ["", "best", "median", "worst", "goal"];

/// Figures of one bench, each with its goal.
#[derive(Debug)]
pub struct Sheet {
    title: String,
    rows: Vec<[String; 5]>,
}

impl Sheet {
    /// An empty table.
    pub fn new(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            rows: Vec::new(),
        }
    }

    /// So many `things` were done in each run: adds the rate per second.
    pub fn rate(&mut self, what: &str, things: usize, runs: &Runs, goal: &str) {
        #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
        let rate = |seconds: f64| format!("{}/s", scaled(things as f64 / seconds));
        self.runs(what, runs, rate, goal);
    }

    /// So many `things` were done in each run: adds the time that one took.
    pub fn each(&mut self, what: &str, things: usize, runs: &Runs, goal: &str) {
        #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
        let each = |seconds: f64| time_text(seconds / things as f64);
        self.runs(what, runs, each, goal);
    }

    /// Adds a figure that was measured once.
    pub fn figure(&mut self, what: &str, figure: &str, goal: &str) {
        let cells = [what, figure, "", "", goal];
        self.rows.push(cells.map(str::to_owned));
    }

    fn runs(&mut self, what: &str, runs: &Runs, text: impl Fn(f64) -> String, goal: &str) {
        self.rows.push([
            what.to_owned(),
            text(runs.best()),
            text(runs.median()),
            text(runs.worst()),
            goal.to_owned(),
        ]);
    }

    /// Prints the table.
    pub fn print(&self) {
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells.chain([COLUMNS[column].len()]).max().unwrap_or(0)
        };
        let widths: [usize; 5] = std::array::from_fn(width);
        let line = |cells: [&str; 5]| {
            let [what, best, median, worst, goal] = cells;
            let [a, b, c, d, _] = widths;
            format!("  {what:<a$}  {best:>b$}  {median:>c$}  {worst:>d$}  {goal}")
        };
        println!("\n{}", self.title);
        println!("{}", line(COLUMNS));
        for row in &self.rows {
            println!("{}", line(row.each_ref().map(String::as_str)).trim_end());
        }
    }
}

/// A number with three digits: `4.12 M`, `850 k`.
fn scaled(value: f64) -> String {
    match value {
        v if v >= 1e9 => format!("{:.2} G", v / 1e9),
        v if v >= 1e6 => format!("{:.2} M", v / 1e6),
        v if v >= 1e3 => format!("{:.0} k", v / 1e3),
        v => format!("{v:.0}"),
    }
}

/// A length of time: `12.5 ns`, `3.1 ms`.
fn time_text(seconds: f64) -> String {
    match seconds {
        s if s < 1e-6 => format!("{:.1} ns", s * 1e9),
        s if s < 1e-3 => format!("{:.1} µs", s * 1e6),
        s if s < 1.0 => format!("{:.1} ms", s * 1e3),
        s => format!("{s:.2} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_people_write_them() {
        assert_eq!(scaled(4_123_000.0), "4.12 M");
        assert_eq!(scaled(850_400.0), "850 k");
        assert_eq!(time_text(2.5e-7), "250.0 ns");
        assert_eq!(time_text(0.0021), "2.1 ms");
    }
}
