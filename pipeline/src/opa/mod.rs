//! What a run tells an Open Policy Agent: the plant once and when it changes, the risk of devices as
//! it changes, over its data API. Whoever rather fetches bundles finds the same in them.

mod copy;
mod push;
pub mod settings;

pub use self::push::Push;
