//! Which partition a device's records belong in, by the rule that its producers go by.
//!
//! A device that is spread over partitions would be two devices to us, each of which does half of
//! what the one does. A plant that names its producers' rule has every other record refused, by
//! what that record says alone, whichever process reads it.

use std::fmt;
use std::str::FromStr;

use andon_schemas::identity::DeviceId;

/// How producers choose the partition of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Partitioner {
    /// As clients in Java do, and librdkafka's `murmur2` and `murmur2_random`.
    Murmur2,
    /// As clients on librdkafka do unless told otherwise: `consistent` and `consistent_random`.
    Crc32,
    /// In any way that keeps a device in one partition; nothing is refused.
    #[default]
    Any,
}

impl Partitioner {
    /// What librdkafka calls it; what suits any plant is what most clients do.
    pub fn of_librdkafka(self) -> &'static str {
        match self {
            Self::Murmur2 | Self::Any => "murmur2_random",
            Self::Crc32 => "consistent_random",
        }
    }

    /// The partition of so many that a device's records belong in; `None` if any one does.
    pub fn home(self, device: &str, partitions: usize) -> Option<i32> {
        let hash = match self {
            Self::Any => return None,
            // Made positive as Java does it.
            Self::Murmur2 => murmur2(device.as_bytes()) & 0x7fff_ffff,
            Self::Crc32 => crc32fast::hash(device.as_bytes()),
        };
        let partitions = u32::try_from(partitions).ok().filter(|n| *n > 0)?;
        i32::try_from(hash % partitions).ok()
    }

    /// Why a device's record is not to be in a partition; `None` if it belongs there. `key` is how
    /// the record spells the device.
    pub fn refuses(
        self,
        device: &DeviceId,
        key: &str,
        partition: i32,
        partitions: usize,
    ) -> Option<String> {
        let id = device.as_str();
        let home = self
            .home(id, partitions)
            .filter(|home| *home != partition)?;
        let suits_key = |rule: Self| rule.home(key, partitions) == Some(partition);
        let other = [Self::Murmur2, Self::Crc32]
            .into_iter()
            .find(|other| *other != self && suits_key(*other));
        let cause = match other {
            _ if key != id && suits_key(self) => format!("its key is spelled `{key}`"),
            Some(other) => format!("its producer seems to go by {other}"),
            None => "its producer chose this one in another way".to_owned(),
        };
        Some(format!(
            "`{id}` belongs in partition {home} of {partitions}, where {self} puts its id, and \
             this is partition {partition}: {cause}. Let producers go by {self} of the id (in \
             librdkafka `partitioner={}`), or send records through `andon bridge`",
            self.of_librdkafka()
        ))
    }

    /// Where records are expected, in words.
    pub fn expects(self) -> &'static str {
        match self {
            Self::Murmur2 => "each device in the partition where murmur2 puts its id",
            Self::Crc32 => "each device in the partition where crc32 puts its id",
            Self::Any => "each device in one partition, whichever",
        }
    }
}

impl fmt::Display for Partitioner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Murmur2 => "murmur2",
            Self::Crc32 => "crc32",
            Self::Any => "any",
        })
    }
}

impl FromStr for Partitioner {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "murmur2" => Ok(Self::Murmur2),
            "crc32" => Ok(Self::Crc32),
            "any" => Ok(Self::Any),
            _ => Err(format!("`{text}` is none of murmur2, crc32, any")),
        }
    }
}

/// `MurmurHash2` with Kafka's seed.
fn murmur2(key: &[u8]) -> u32 {
    const FACTOR: u32 = 0x5bd1_e995;
    const SEED: u32 = 0x9747_b28c;
    // No key is as long as 4 GiB.
    let mut hash = SEED ^ u32::try_from(key.len()).unwrap_or(u32::MAX);
    let (words, rest) = key.as_chunks();
    for word in words {
        let word = u32::from_le_bytes(*word).wrapping_mul(FACTOR);
        let word = (word ^ word >> 24).wrapping_mul(FACTOR);
        hash = hash.wrapping_mul(FACTOR) ^ word;
    }
    if !rest.is_empty() {
        for (at, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * at);
        }
        hash = hash.wrapping_mul(FACTOR);
    }
    hash = (hash ^ hash >> 13).wrapping_mul(FACTOR);
    hash ^ hash >> 15
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn murmur2_is_that_of_kafka() {
        // As Kafka's own tests have them, signed.
        for (key, hash) in [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            (
                "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
                -58_897_971,
            ),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()), hash.cast_unsigned(), "{key}");
        }
    }

    #[test]
    fn whoever_takes_any_partition_refuses_none() {
        let device = DeviceId::new("cnc-1").unwrap();
        for partition in 0..12 {
            assert_eq!(
                Partitioner::Any.refuses(&device, "cnc-1", partition, 12),
                None
            );
        }
    }

    #[test]
    fn a_device_belongs_in_one_partition_and_is_told_which_and_by_what_it_came_here() {
        let device = DeviceId::new("cnc-1").unwrap();
        for partitioner in [Partitioner::Murmur2, Partitioner::Crc32] {
            let home = partitioner.home("cnc-1", 12).unwrap();
            let refused: Vec<i32> = (0..12)
                .filter(|p| partitioner.refuses(&device, "cnc-1", *p, 12).is_some())
                .collect();
            assert_eq!(refused.len(), 11);
            assert!(!refused.contains(&home));
        }
        let by_crc = Partitioner::Crc32.home("cnc-1", 12).unwrap();
        let told = Partitioner::Murmur2.refuses(&device, "cnc-1", by_crc, 12);
        let told = told.unwrap();
        assert!(told.contains("its producer seems to go by crc32"), "{told}");
        assert!(told.contains("`partitioner=murmur2_random`"), "{told}");
    }

    #[test]
    fn two_ways_to_spell_a_device_do_not_make_it_two() {
        let device = DeviceId::new("cnc-1").unwrap();
        let [id, spelled] = ["cnc-1", "CNC-1"].map(|key| Partitioner::Murmur2.home(key, 12));
        assert_ne!(id, spelled);
        let told = Partitioner::Murmur2.refuses(&device, "CNC-1", spelled.unwrap(), 12);
        assert!(told.unwrap().contains("its key is spelled `CNC-1`"));
    }
}
