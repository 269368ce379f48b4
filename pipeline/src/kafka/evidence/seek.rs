//! Where to begin to read for an incident.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Context as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::Place;
use super::watch::{Span, Watch};
use crate::evidence::REMEMBERED;
use crate::kafka::partitioner::Partitioner;

/// How long the cluster is given to answer a question.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Finds out where to begin in every partition of an incident: as many records before the first that
/// a finding rests on as a run off Kafka remembers, or where an earlier reading stopped.
///
/// # Errors
/// If the cluster does not answer.
pub(super) fn seek(
    consumer: &BaseConsumer,
    place: &Place,
    partitioner: Partitioner,
    watch: &mut Watch,
) -> anyhow::Result<()> {
    let mut anchors: BTreeMap<i32, Option<i64>> = BTreeMap::new();
    for (partition, offset) in &watch.root.from {
        anchors.insert(*partition, Some(*offset));
    }
    if watch.root.told.is_some() {
        for partition in homes(place, partitioner, watch) {
            anchors.entry(partition).or_insert(None);
        }
    }
    for (partition, anchor) in anchors {
        let cannot = || format!("cannot ask where `{}` begins", place.topic);
        let ends = consumer.fetch_watermarks(&place.topic, partition, ANSWER_WITHIN);
        let (low, end) = ends.with_context(cannot)?;
        let anchor = match (anchor, watch.root.told) {
            (Some(offset), _) => offset,
            (None, Some(told)) => {
                let mut times = TopicPartitionList::new();
                let millis = Offset::Offset(told.micros() / 1_000);
                times.add_partition_offset(&place.topic, partition, millis)?;
                let found = consumer.offsets_for_times(times, ANSWER_WITHIN);
                let found = found.with_context(cannot)?;
                match found
                    .find_partition(&place.topic, partition)
                    .map(|p| p.offset())
                {
                    Some(Offset::Offset(offset)) => offset,
                    _ => end,
                }
            }
            (None, None) => continue,
        };
        let before = i64::try_from(REMEMBERED).unwrap_or(i64::MAX);
        let kept = watch.before.as_ref();
        let read = kept.and_then(|kept| kept.left.get(&partition).or(kept.next.get(&partition)));
        let first = (anchor - before).max(read.copied().unwrap_or(0));
        let first = first.clamp(low, end.max(low));
        let known = watch.places.get(&partition);
        if known.is_none_or(|known| first < known.first) {
            if known.is_none() {
                let gone = low - anchor.max(read.copied().unwrap_or(0));
                watch.deleted += u64::try_from(gone).unwrap_or(0);
            }
            let span = Span {
                first,
                next: first,
                left: None,
                is_read: false,
                is_done: false,
            };
            watch.places.insert(partition, span);
        }
    }
    watch.is_new = false;
    Ok(())
}

/// The partitions in which the devices of an incident may be.
fn homes(place: &Place, partitioner: Partitioner, watch: &Watch) -> BTreeSet<i32> {
    let devices = watch.devices.iter();
    let homes: Option<BTreeSet<i32>> = devices
        .map(|device| partitioner.home(device.as_str(), place.partitions))
        .collect();
    homes.unwrap_or_else(|| (0..i32::try_from(place.partitions).unwrap_or(i32::MAX)).collect())
}
