//! Questions that everybody asks, ready to be asked by name.

/// A question with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ReadyQuery {
    /// Its name.
    pub name: &'static str,
    /// What it asks.
    pub asks: &'static str,
    /// The table it cannot do without.
    pub reads: &'static str,
    /// How.
    pub sql: &'static str,
}

/// All of them.
pub const READY: &[ReadyQuery] = &[
    ReadyQuery {
        name: "open",
        asks: "which episodes are open, worst first?",
        reads: "verdicts",
        sql: "SELECT risk_score, grade, device_id, device_type, event_time, sentence
FROM (SELECT *, row_number() OVER (PARTITION BY verdict_id ORDER BY revision DESC) AS newest
      FROM verdicts)
WHERE newest = 1 AND state <> 'cleared'
ORDER BY risk_score DESC, event_time, device_id",
    },
    ReadyQuery {
        name: "devices",
        asks: "which devices raised most, and how bad was it?",
        reads: "verdicts",
        sql: "SELECT device_id, device_type, max(risk_score) AS worst_score,
       count(DISTINCT verdict_id) AS episodes, min(event_time) AS first, max(event_time) AS last
FROM verdicts
GROUP BY device_id, device_type
ORDER BY worst_score DESC, episodes DESC, device_id",
    },
    ReadyQuery {
        name: "detectors",
        asks: "what did each detector find, in how many episodes of how many devices?",
        reads: "findings",
        sql: "SELECT detector, grade, count(DISTINCT verdict_id) AS episodes,
       count(DISTINCT device_id) AS devices, min(window_start) AS first
FROM findings
GROUP BY detector, grade
ORDER BY episodes DESC, detector, grade",
    },
    ReadyQuery {
        name: "days",
        asks: "how many episodes would an operator have seen each day (UTC), by worst grade?",
        reads: "verdicts",
        sql: "SELECT day, count(*) AS episodes,
       count(*) FILTER (WHERE worst = 4) AS critical, count(*) FILTER (WHERE worst = 3) AS high,
       count(*) FILTER (WHERE worst = 2) AS medium, count(*) FILTER (WHERE worst = 1) AS low
FROM (SELECT verdict_id, date_trunc('day', min(event_time)) AS day,
             max(CASE grade WHEN 'CRITICAL' THEN 4 WHEN 'HIGH' THEN 3 WHEN 'MEDIUM' THEN 2
                            ELSE 1 END) AS worst
      FROM verdicts GROUP BY verdict_id)
GROUP BY day
ORDER BY day",
    },
    ReadyQuery {
        name: "techniques",
        asks: "which ATT&CK for ICS techniques were seen, where?",
        reads: "findings",
        sql: "SELECT technique, count(DISTINCT verdict_id) AS episodes,
       count(DISTINCT device_id) AS devices
FROM (SELECT verdict_id, device_id, unnest(techniques) AS technique FROM findings)
GROUP BY technique
ORDER BY episodes DESC, technique",
    },
    ReadyQuery {
        name: "rejects",
        asks: "what was not taken, and why?",
        reads: "rejects",
        sql: "SELECT reason, source_topic, count(*) AS records, min(detail) AS example
FROM rejects
GROUP BY reason, source_topic
ORDER BY records DESC, reason, source_topic",
    },
    ReadyQuery {
        name: "talkers",
        asks: "who moves most bytes to whom?",
        reads: "captures",
        sql: "SELECT originator, responder, responder_port, transport, count(*) AS flows,
       sum(coalesce(originator_bytes, 0) + coalesce(responder_bytes, 0)) AS bytes
FROM captures
WHERE kind = 'flow'
GROUP BY originator, responder, responder_port, transport
ORDER BY bytes DESC, originator, responder, responder_port
LIMIT 20",
    },
    ReadyQuery {
        name: "hours",
        asks: "how much does a type of device usually move in an hour?",
        reads: "windows",
        sql: "SELECT device_type, count(*) AS device_hours,
       round(avg(bytes) / 1e6, 2) AS mean_mb,
       round(approx_percentile_cont(0.5) WITHIN GROUP (ORDER BY bytes) / 1e6, 2) AS median_mb,
       round(max(bytes) / 1e6, 2) AS most_mb
FROM windows
WHERE NOT partial
GROUP BY device_type
ORDER BY device_type",
    },
];

/// The one of this name.
pub fn ready(name: &str) -> Option<&'static ReadyQuery> {
    READY.iter().find(|query| query.name == name)
}
