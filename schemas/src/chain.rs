//! Entries that hang on each other by their hashes, so that none can be taken out, put in or
//! changed unseen by whoever knows the last hash. Whoever does not cannot tell a chain whose end was
//! cut off, or one that was written anew as a whole: keep the last hash where others cannot write.

use serde::{Deserialize, Serialize};

use crate::canonical;

/// An entry of a chain.
pub trait Linked: Clone + Serialize {
    /// Its place.
    fn link(&self) -> &Link;
    /// Puts it in a place.
    fn link_mut(&mut self) -> &mut Link;

    /// The hash that it should have: SHA-256 over its canonical JSON with `hash` empty, lower-case
    /// hex.
    fn digest(&self) -> String {
        let mut bare = self.clone();
        bare.link_mut().hash.clear();
        canonical::digest(&bare)
    }
}

/// The place of an entry in its chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Link {
    /// Counts the entries of one chain, from 1.
    pub number: u64,
    /// Hash of the entry before; empty at the beginning of a chain.
    pub previous: String,
    /// SHA-256 over the canonical JSON of this entry with `hash` empty, lower-case hex.
    pub hash: String,
}

/// The end of a chain: what the next entry hangs on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// Entries so far.
    pub number: u64,
    /// Hash of the last one; empty if there is none.
    pub last: String,
}

impl Chain {
    /// Hangs an entry on the end.
    #[must_use]
    pub fn append<T: Linked>(&mut self, mut entry: T) -> T {
        self.number += 1;
        *entry.link_mut() = Link {
            number: self.number,
            previous: std::mem::take(&mut self.last),
            hash: String::new(),
        };
        entry.link_mut().hash = entry.digest();
        self.last.clone_from(&entry.link().hash);
        entry
    }

    /// Follows a chain that was read back by one entry. One that was written twice, as after a
    /// crash, is passed over.
    ///
    /// # Errors
    /// Says what does not fit.
    pub fn follow(&mut self, entry: &impl Linked) -> Result<(), String> {
        let link = entry.link();
        let number = link.number;
        if link.hash != entry.digest() {
            return Err(format!("entry {number} was changed after it was written"));
        }
        if number == self.number && link.hash == self.last {
            return Ok(());
        }
        if number != self.number + 1 || link.previous != self.last {
            let last = self.number;
            return Err(format!("entry {number} does not follow entry {last}"));
        }
        self.number = number;
        self.last.clone_from(&link.hash);
        Ok(())
    }
}
