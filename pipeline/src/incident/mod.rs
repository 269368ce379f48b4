//! An incident told from what a run wrote: `story` puts it together, `markdown` and `page` write it
//! for people, and [`export`] makes a folder of it that can be handed over.

mod export;
mod markdown;
mod page;
mod story;
mod trail;

pub use self::export::{SUMS, check_sums, export, is_export};
pub use self::story::{Moment, Story, each_line, newest};
pub use self::trail::check_trail;
