//! Compares what a cluster has with the table: what is wrong, what follows, what mends it.

use std::fmt;

use serde::Serialize;

use super::cluster::{Cluster, Found, Partition, fewest_copies};
use super::{OBSERVATIONS, Rule, Spread, TOPICS, Topic, Wanted, Weight, copies};

/// What makes a topic that is not there.
const CREATE: &str = "`andon topics create`, with the same `-c` or `--kafka`";

/// How many copies must have a record before it counts as written.
pub(super) const IN_SYNC: &str = "min.insync.replicas";

/// How one of our topics is.
#[derive(Clone, Debug, Serialize)]
pub struct Condition {
    /// Its name.
    pub topic: String,
    /// What there is of it.
    #[serde(flatten)]
    pub found: Option<Counts>,
    /// What is not as it should be.
    pub problems: Vec<Problem>,
}

/// The size of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Number of partitions.
    pub partitions: usize,
    /// Copies of each; of the one with the fewest, if they differ.
    pub replication: usize,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The topic.
    #[serde(skip)]
    pub topic: String,
    /// What about it: the name of a setting, `partitions`, `replication`, `leader` or `exists`.
    pub what: String,
    /// How it is.
    pub found: String,
    /// How it should be.
    pub expected: String,
    /// How bad it is.
    pub weight: Weight,
    /// What follows from it.
    pub follows: String,
    /// The command that mends it, or what else does.
    pub mend: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            topic,
            what,
            found,
            expected,
            ..
        } = self;
        write!(f, "`{topic}`: {what} is {found}, not {expected}")
    }
}

impl Condition {
    /// The worst of it.
    pub fn weight(&self) -> Option<Weight> {
        self.problems.iter().map(|problem| problem.weight).max()
    }
}

/// Goes through all our topics.
pub fn check(cluster: &Cluster) -> Vec<Condition> {
    TOPICS
        .iter()
        .map(|topic| {
            let subject = Subject {
                cluster,
                topic,
                name: topic.name(&cluster.names).to_owned(),
            };
            match cluster.topics.get(topic.holds) {
                None => Condition {
                    problems: vec![subject.missing()],
                    topic: subject.name,
                    found: None,
                },
                Some(found) => Condition {
                    problems: subject.problems(found),
                    found: Some(Counts {
                        partitions: found.partitions.len(),
                        replication: fewest_copies(&found.partitions),
                    }),
                    topic: subject.name,
                },
            }
        })
        .collect()
}

impl Found {
    /// How many copies must have a record before it counts as written.
    fn min_in_sync(&self) -> Option<usize> {
        self.settings.get(IN_SYNC)?.parse().ok()
    }

    /// The numbers of the partitions of which something holds; nothing if there are none.
    fn those(&self, holds: impl Fn(&Partition) -> bool) -> Option<String> {
        let all = self.partitions.iter().enumerate();
        let numbers: Vec<String> = all
            .filter(|(_, partition)| holds(partition))
            .map(|(at, _)| at.to_string())
            .collect();
        (!numbers.is_empty()).then(|| numbers.join(", "))
    }
}

/// The topic that is looked at.
struct Subject<'a> {
    cluster: &'a Cluster,
    topic: &'a Topic,
    name: String,
}

impl Subject<'_> {
    fn problem(&self, what: &str, weight: Weight, found: String, expected: String) -> Problem {
        Problem {
            topic: self.name.clone(),
            what: what.to_owned(),
            found,
            expected,
            weight,
            follows: String::new(),
            mend: String::new(),
        }
    }

    fn missing(&self) -> Problem {
        Problem {
            follows: "a run does not begin".to_owned(),
            mend: CREATE.to_owned(),
            ..self.problem("exists", Weight::Fatal, "no".to_owned(), "yes".to_owned())
        }
    }

    fn problems(&self, found: &Found) -> Vec<Problem> {
        let mut problems = Vec::new();
        problems.extend(self.spread(found.partitions.len()));
        problems.extend(self.leaders(found));
        problems.extend(self.behind(found));
        problems.extend(self.replication(found));
        problems.extend(self.in_sync(found));
        let settings = self.topic.settings.iter();
        problems.extend(settings.filter_map(|wanted| self.setting(wanted, found)));
        problems
    }

    fn spread(&self, partitions: usize) -> Option<Problem> {
        let expected = match self.topic.spread {
            Spread::Free => return None,
            Spread::One => 1,
            Spread::AsObservations => self.cluster.partitions_of(OBSERVATIONS),
        };
        if partitions == expected || expected == 0 {
            return None;
        }
        let follows = match self.topic.spread {
            Spread::One => "what is to be read in order is read in any",
            _ if partitions < expected => "the state of some partitions has no place",
            _ => "it was made for other partitions: devices and their state do not meet",
        };
        let mend = if partitions < expected {
            self.tool(
                "kafka-topics.sh",
                &format!("--alter --topic {} --partitions {expected}", self.name),
            )
        } else {
            // Partitions can only be added.
            format!(
                "with every run stopped, {}; then {CREATE}: what the topic holds is lost, and runs \
                 begin anew",
                self.tool(
                    "kafka-topics.sh",
                    &format!("--delete --topic {}", self.name)
                ),
            )
        };
        Some(Problem {
            follows: follows.to_owned(),
            mend,
            ..self.problem(
                "partitions",
                Weight::Fatal,
                partitions.to_string(),
                expected.to_string(),
            )
        })
    }

    fn leaders(&self, found: &Found) -> Option<Problem> {
        let without = found.those(|partition| !partition.has_leader)?;
        let found = format!("missing for partition {without}");
        Some(Problem {
            follows: "nothing is read from there or written to there".to_owned(),
            mend: "start the brokers that have a copy of it".to_owned(),
            ..self.problem("leader", Weight::Wrong, found, "there".to_owned())
        })
    }

    /// Copies that a broker has but that are not up to date, as after it was away.
    fn behind(&self, found: &Found) -> Option<Problem> {
        let enough = found.min_in_sync().unwrap_or(1);
        let too_few = |partition: &Partition| partition.in_sync < enough.min(partition.copies);
        let is_behind = |partition: &Partition| partition.in_sync < partition.copies;
        let (which, weight, follows) = match found.those(too_few) {
            Some(which) => (which, Weight::Wrong, "no record is taken there"),
            None => (
                found.those(is_behind)?,
                Weight::Note,
                "until they have caught up, fewer brokers may be lost",
            ),
        };
        Some(Problem {
            follows: follows.to_owned(),
            mend: "start the brokers that have a copy of it, and let them catch up".to_owned(),
            ..self.problem(
                "copies in sync",
                weight,
                format!("short for partition {which}"),
                "all".to_owned(),
            )
        })
    }

    fn replication(&self, found: &Found) -> Option<Problem> {
        let (is, expected) = (
            fewest_copies(&found.partitions),
            copies(self.cluster.brokers),
        );
        (is < expected).then(|| Problem {
            follows: "a broker that is lost for good takes records with it".to_owned(),
            mend: self.tool(
                "kafka-reassign-partitions.sh",
                &format!("--reassignment-json-file FILE --execute, with {expected} replicas each"),
            ),
            ..self.problem(
                "replication",
                Weight::Note,
                is.to_string(),
                expected.to_string(),
            )
        })
    }

    /// A record counts as written when so many copies have it.
    fn in_sync(&self, found: &Found) -> Option<Problem> {
        let copies = fewest_copies(&found.partitions);
        let expected = super::in_sync(copies);
        let is = found.min_in_sync()?;
        let (weight, follows) = if is > copies {
            (
                Weight::Wrong,
                "no record is taken: there are fewer copies than must have it",
            )
        } else if is > expected {
            (Weight::Note, "while a broker is down, no record is taken")
        } else if is < expected {
            (
                Weight::Note,
                "a record that counts as written may be lost with one broker",
            )
        } else {
            return None;
        };
        Some(Problem {
            follows: follows.to_owned(),
            mend: self.alter(IN_SYNC, &expected.to_string()),
            ..self.problem(IN_SYNC, weight, is.to_string(), expected.to_string())
        })
    }

    fn setting(&self, wanted: &Wanted, found: &Found) -> Option<Problem> {
        let value = found.settings.get(wanted.key)?;
        let expected = match wanted.rule {
            Rule::Any => return None,
            Rule::Exactly if value == wanted.value => return None,
            Rule::Exactly => wanted.value.to_owned(),
            Rule::AtLeast if is_at_least(value, wanted.value) => return None,
            Rule::AtLeast => format!("at least {}", wanted.value),
        };
        Some(Problem {
            follows: wanted.otherwise.to_owned(),
            mend: self.alter(wanted.key, wanted.value),
            ..self.problem(wanted.key, wanted.weight, value.clone(), expected)
        })
    }

    fn alter(&self, key: &str, value: &str) -> String {
        self.tool(
            "kafka-configs.sh",
            &format!(
                "--alter --entity-type topics --entity-name {} --add-config {key}={value}",
                self.name
            ),
        )
    }

    fn tool(&self, tool: &str, rest: &str) -> String {
        format!("{tool} --bootstrap-server {} {rest}", self.cluster.address)
    }
}

/// Whether a number is as large as another; one below 0 is without limit.
fn is_at_least(is: &str, least: &str) -> bool {
    match (is.parse::<i64>(), least.parse::<i64>()) {
        (Ok(is), Ok(least)) => is < 0 || is >= least,
        _ => false,
    }
}
