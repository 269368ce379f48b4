//! What exactly once rests on, seen on a real Apache Kafka through the client that Andon uses: an
//! aborted record stays hidden, offsets commit with the records made from them, a producer that was
//! replaced is told so, and a cluster outlives one of its brokers.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what these functions cannot do fails the test that calls them"
)]

mod kafka_broker;

use std::net::TcpStream;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{Offset, TopicPartitionList};

use self::kafka_broker::Cluster;

/// Long enough that only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which records a reader is shown.
#[derive(Clone, Copy)]
enum Isolation {
    Committed,
    Uncommitted,
}

impl Isolation {
    fn name(self) -> &'static str {
        match self {
            Self::Committed => "read_committed",
            Self::Uncommitted => "read_uncommitted",
        }
    }
}

fn config(cluster: &Cluster) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", cluster.addresses());
    config
}

/// Makes a topic of one partition, with as many copies as the cluster keeps of any.
fn make_topic(cluster: &Cluster, topic: &str) {
    let admin: AdminClient<DefaultClientContext> = config(cluster).create().unwrap();
    let topic = NewTopic::new(topic, 1, TopicReplication::Fixed(-1));
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let made = runtime.block_on(admin.create_topics([&topic], &options));
    for topic in made.unwrap() {
        topic.unwrap();
    }
}

/// A producer under this transactional id; any earlier one under it is fenced from now on.
fn transactional(cluster: &Cluster, id: &str) -> BaseProducer {
    let producer: BaseProducer = config(cluster)
        .set("transactional.id", id)
        .create()
        .unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    producer
}

/// Writes a record within the open transaction; it is in the broker's log then.
fn write(producer: &BaseProducer, topic: &str, text: &str) {
    let record = BaseRecord::<str, str>::to(topic).key("cnc-7").payload(text);
    producer.send(record).map_err(|(error, _)| error).unwrap();
    producer.flush(PATIENCE).unwrap();
}

/// Writes a record in a transaction of its own.
fn commit(producer: &BaseProducer, topic: &str, text: &str) {
    producer.begin_transaction().unwrap();
    write(producer, topic, text);
    producer.commit_transaction(PATIENCE).unwrap();
}

/// The broker that leads the only partition of a topic.
fn leader(producer: &BaseProducer, topic: &str) -> usize {
    let told = producer.client().fetch_metadata(Some(topic), PATIENCE);
    let leader = told.unwrap().topics()[0].partitions()[0].leader();
    usize::try_from(leader).expect("it has a leader")
}

fn next(consumer: &BaseConsumer) -> BorrowedMessage<'_> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            return message.unwrap();
        }
    }
    panic!("no record came");
}

fn text(message: &BorrowedMessage<'_>) -> String {
    message.payload_view::<str>().unwrap().unwrap().to_owned()
}

/// Everything that a reader is shown of a topic, from its beginning to a last record.
///
/// A commit returns before its end is in every log: what is to be hidden is looked for before a
/// record that came later, never at an end that may still move.
fn read_until(cluster: &Cluster, topic: &str, isolation: Isolation, last: &str) -> Vec<String> {
    let consumer: BaseConsumer = config(cluster)
        .set("group.id", "reader")
        .set("isolation.level", isolation.name())
        .create()
        .unwrap();
    let mut from = TopicPartitionList::new();
    from.add_partition_offset(topic, 0, Offset::Beginning)
        .unwrap();
    consumer.assign(&from).unwrap();
    let mut texts = Vec::new();
    while texts.last().is_none_or(|text| text != last) {
        texts.push(text(&next(&consumer)));
    }
    texts
}

/// Where a group would go on in the only partition of a topic, once no open transaction is about to
/// move it.
fn committed(consumer: &BaseConsumer, topic: &str) -> Offset {
    let mut asked = TopicPartitionList::new();
    asked.add_partition(topic, 0);
    let told = consumer.committed_offsets(asked, PATIENCE).unwrap();
    told.find_partition(topic, 0).unwrap().offset()
}

#[test]
fn an_aborted_record_stays_hidden_from_who_reads_committed() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let topic = "aborted";
    make_topic(cluster, topic);
    let producer = transactional(cluster, "aborts");
    commit(&producer, topic, "before");
    producer.begin_transaction().unwrap();
    write(&producer, topic, "aborted");
    producer.abort_transaction(PATIENCE).unwrap();
    commit(&producer, topic, "after");

    let read = |isolation| read_until(cluster, topic, isolation, "after");
    assert_eq!(read(Isolation::Committed), ["before", "after"]);
    assert_eq!(read(Isolation::Uncommitted), ["before", "aborted", "after"]);
}

#[test]
fn offsets_commit_with_the_records_made_from_them_or_not_at_all() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let (input, output) = ("observed", "judged");
    make_topic(cluster, input);
    make_topic(cluster, output);
    commit(&transactional(cluster, "observes"), input, "observation");

    let consumer: BaseConsumer = config(cluster)
        .set("group.id", "judges")
        .set("isolation.level", Isolation::Committed.name())
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .create()
        .unwrap();
    consumer.subscribe(&[input]).unwrap();
    let after = Offset::Offset(next(&consumer).offset() + 1);
    let mut position = TopicPartitionList::new();
    position.add_partition_offset(input, 0, after).unwrap();

    let producer = transactional(cluster, "judges");
    let judge = |verdict| {
        let group = consumer.group_metadata().unwrap();
        producer.begin_transaction().unwrap();
        write(&producer, output, verdict);
        producer
            .send_offsets_to_transaction(&position, &group, PATIENCE)
            .unwrap();
    };
    judge("first try");
    producer.abort_transaction(PATIENCE).unwrap();
    assert_eq!(committed(&consumer, input), Offset::Invalid);

    judge("second try");
    producer.commit_transaction(PATIENCE).unwrap();
    assert_eq!(committed(&consumer, input), after);
    let verdicts = read_until(cluster, output, Isolation::Committed, "second try");
    assert_eq!(verdicts, ["second try"]);
}

#[test]
fn a_fenced_producer_gets_a_fatal_error_and_writes_nothing() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let topic = "fenced";
    make_topic(cluster, topic);
    let zombie = transactional(cluster, "one-owner");
    zombie.begin_transaction().unwrap();
    write(&zombie, topic, "the zombie's");

    let heir = transactional(cluster, "one-owner");
    let refused = zombie.commit_transaction(PATIENCE).unwrap_err();
    let KafkaError::Transaction(refused) = refused else {
        panic!("{refused:?}");
    };
    assert!(refused.is_fatal(), "{refused}");
    assert_eq!(refused.code(), RDKafkaErrorCode::Fenced);
    assert!(zombie.client().fatal_error().is_some());

    commit(&heir, topic, "the heir's");
    let texts = read_until(cluster, topic, Isolation::Committed, "the heir's");
    assert_eq!(texts, ["the heir's"]);
}

#[test]
fn three_brokers_outlive_the_loss_of_a_leader() {
    let Some(mut cluster) = Cluster::start(3) else {
        return;
    };
    let topic = "replicated";
    make_topic(&cluster, topic);
    let producer = transactional(&cluster, "survives");
    commit(&producer, topic, "before");

    let lost = leader(&producer, topic);
    cluster.kill(lost);
    commit(&producer, topic, "without it");
    assert_ne!(leader(&producer, topic), lost);
    cluster.start_again(lost);
    commit(&producer, topic, "with it again");

    let texts = read_until(&cluster, topic, Isolation::Committed, "with it again");
    assert_eq!(texts, ["before", "without it", "with it again"]);
}

#[test]
fn brokers_end_with_whoever_started_them() {
    let Some(cluster) = Cluster::start(1) else {
        return;
    };
    let address = cluster.addresses().to_owned();
    assert!(TcpStream::connect(&address).is_ok());
    drop(cluster);
    assert!(TcpStream::connect(&address).is_err());
}
