/** What the server says, as it says it. Times are RFC 3339 strings of event time. */

export type Lamp = "critical" | "high" | "medium" | "low" | "normal" | "unknown";
export type Grade = "CRITICAL" | "HIGH" | "MEDIUM" | "LOW";
export type Band = "critical" | "high" | "medium" | "low" | "unknown";
export type Action = "log" | "watch" | "restrict" | "isolate" | "quarantine";
export type Mode = "monitor" | "enforce";
export type Approval = "automatic" | "required";
export type VerdictState = "raised" | "escalated" | "updated" | "cleared";
export type Counts = Record<Lamp, number>;

export interface Plant {
  site: string;
  timezone: string;
  version: string;
  mode: Mode;
  lines: { name: string; segments: PlantSegment[] }[];
  types: { type: string; devices: number; safety_critical: boolean }[];
}

export interface PlantSegment {
  id: string;
  name: string;
  line: string;
  devices: number;
}

/** `[device, type, lamp, score, since]` */
export type LampRow = [string, string, Lamp, number | null, string | null];

export interface Board {
  seq: string;
  at: string | null;
  counts: Counts;
  segments: BoardSegment[];
}

export interface BoardSegment {
  id: string;
  counts: Counts;
  lamps: LampRow[] | null;
}

export interface Risk {
  score: number | null;
  trust: number | null;
  band: Band;
}

export interface RiskEvent extends Risk {
  device_id: string;
  event_time: string;
  verdict_id: string | null;
  lamp: Lamp;
}

export interface DeviceRow {
  device_id: string;
  device_type: string;
  segment: string;
  line: string;
  risk_class: string | null;
  safety_critical: boolean;
  lamp: Lamp;
  verdict_id: string | null;
  since: string | null;
  risk: Risk;
  last_seen: string | null;
  /** Until when commands about it are held back; null if they are not. */
  suppressed_until: string | null;
}

export interface Device extends DeviceRow {
  owner: string | null;
  risk_history: { at: string; score: number | null; band: Band }[];
  verdicts: VerdictRow[];
  commands: OrderHistory[];
  open: Verdict | null;
  vendor: string | null;
  model: string | null;
  firmware: FirmwareVersion | null;
  advisories: KnownVulnerability[];
  /** Null if no advisories were given. */
  advised: { affected: number; cannot_tell: number } | null;
}

export interface FirmwareVersion {
  version: string;
  source: "attested" | "inventory";
  at: string | null;
}

export interface KnownVulnerability {
  cve: string;
  verdict: "affected" | "cannot_tell";
  reason: string;
  severity: "unknown" | "none" | "low" | "medium" | "high" | "critical";
  cvss: number | null;
  title: string;
  versions: string;
  product: string;
  fixed_in: string | null;
  remedy: string | null;
  url: string | null;
  advisories: string[];
}

export interface VerdictRow {
  verdict_id: string;
  revision: number;
  state: VerdictState;
  device_id: string;
  device_type: string;
  segment: string;
  grade: Grade;
  event_time: string;
  updated: string;
  sentence: string;
  action: Action;
  approval: Approval;
  mode: Mode;
  detectors: string[];
}

export interface FlowMatch {
  peer: string;
  transport: string | null;
  port: number | null;
}

export interface Response {
  action: Action;
  mode: Mode;
  scope: FlowMatch[];
  exceptions: FlowMatch[];
  expires: string | null;
  approval: Approval;
  note: string;
  notify: string[];
}

export interface Source {
  topic: string;
  partition: number;
  offset: number;
}

export interface Finding {
  detector: string;
  grade: Grade;
  counts_as?: Grade;
  proven?: boolean;
  rule: boolean;
  plane: string;
  score: number;
  p_value: number | null;
  observed: unknown;
  expected: unknown;
  sentence: string;
  clears: string;
  techniques: string[];
  confidence: { basis: string; n: number };
  window: { start: string; end: string };
  count: number;
  active: boolean;
  source: Source[];
}

export interface Verdict {
  verdict_id: string;
  revision: number;
  state: VerdictState;
  device_id: string;
  device_type: string;
  segment: string;
  risk_class: string | null;
  site: string;
  event_time: string;
  window: { start: string; end: string };
  grade: Grade;
  confidence: { basis: string; n: number };
  risk: Risk;
  sentence: string;
  findings: Finding[];
  response: Response;
  profile: { name: string; version: string; hash: string };
}

export type Unit = "bytes" | "amperes" | "rpm" | "seconds" | "share" | "count";

/** What the revisions of a verdict measured of one thing, against what was expected of it. */
export interface Signal {
  detector: string;
  name: string;
  unit: Unit;
  bands: { name: string; low: number; high: number }[];
  lines: { name: string; at: number }[];
  /** Oldest first. */
  points: { at: string; value: number }[];
}

export interface VerdictDetail {
  verdict: Verdict;
  signals: Signal[];
  revisions: { revision: number; state: VerdictState; grade: Grade; at: string; sentence: string }[];
  commands: OrderHistory[];
}

export type OrderState =
  | "proposed"
  | "approved"
  | "issued"
  | "acknowledged"
  | "failed"
  | "timed_out"
  | "expired"
  | "released"
  | "rejected"
  | "waiting";

export interface Command {
  command_id: string;
  verdict_id: string;
  device_id: string;
  site: string;
  step: number;
  issued: string;
  release: boolean;
  reason: string;
  response: Response;
}

export interface Order {
  command: Command;
  state: OrderState;
  updated: string;
  by: string | null;
  note: string;
}

export interface OrderHistory extends Order {
  /** Oldest first. */
  history: { at: string; state: OrderState; by: string | null; reason: string }[];
}

export type Judgement = "true_positive" | "benign" | "false_positive";

export interface Involved {
  verdict_id: string;
  device_id: string;
  grade: Grade;
  state: VerdictState;
  began: string;
  link: "first" | "device" | "destination" | "segment";
  sentence: string;
}

export interface Incident {
  incident_id: string;
  revision: number;
  state: "open" | "over";
  grade: Grade;
  began: string;
  last: string;
  over: string | null;
  sentence: string;
  segments: string[];
  destinations: string[];
  techniques: string[];
  verdicts: Involved[];
  /** Verdicts beyond those that are listed. */
  more: number;
  judged: { judgement: Judgement; by: string; at: string; note: string } | null;
}

export interface SuppressionEvent {
  device_id: string;
  suppressed_until: string | null;
}

export interface ProfileRow {
  device_type: string;
  version: string;
  hash: string;
  description: string;
  calibrated: boolean;
  devices: number;
  counts: Counts;
}

export interface Profiles {
  hash: string;
  profiles: ProfileRow[];
  /** Types of watched devices that no profile is about. */
  without: { device_type: string; devices: number; counts: Counts }[];
}

export interface ProfileRange {
  low: number;
  high: number;
  /** Share of honest values inside. */
  coverage: number;
}

export interface ProfileWhom {
  kind: "name" | "address" | "network" | "role" | "type";
  name: string;
}

export interface ProfilePeer extends ProfileWhom {
  share: number | null;
  safety: boolean;
  /** Empty for every protocol of the profile. */
  over: string[];
}

export interface ProfileCommands {
  names: string[];
  /** Empty for anybody. */
  peers: ProfileWhom[];
}

/** A profile as it is in force, in base units; what is not written is null or empty. */
export interface Profile extends ProfileRow {
  timezone: string;
  extends: string[];
  controller: boolean;
  destinations: ProfilePeer[];
  clients: ProfilePeer[];
  protocols: { name: string; share: number | null; ports: string[] }[];
  sends: ProfileCommands[] | null;
  accepts: ProfileCommands[] | null;
  volume_per_hour:
    | (ProfileRange & { bytes: string; limit: number; limit_is_written: boolean; baseline: number })
    | null;
  upload_share: ProfileRange | null;
  connections_per_hour: ProfileRange | null;
  active_hours: { spans: string[]; grace_min: number } | null;
  cadence: { bytes: ProfileRange; period_s: number; jitter_s: number } | null;
  current: { idle_a: ProfileRange; active_a: ProfileRange; limit_a: number | null } | null;
  spindle: { rpm: ProfileRange; limit_rpm: number } | null;
  load: { from_rpm: number; to_rpm: number; current_a: ProfileRange; mean_a: ProfileRange | null }[];
  frozen: { idle_s: number | null; active_s: number | null; turning_s: number | null } | null;
  firmware: { version: string; sha256: string[]; released: string }[];
  scan: { hosts: number; ports: number; failed: number };
  silence_s: number;
  silence_by: "written" | "cadence" | "hour";
  detectors: { detector: string; off: boolean; grade: Grade | null }[];
  calibration: { device_hours: number; false_positives: number; confidence: number; discount: number } | null;
  learned: { detector: string; middle: number; levels: number; within: number; by_hour: boolean; windows: number }[];
  yaml: string;
}

export interface Status {
  at: string | null;
  events_per_second: number;
  lag_ms: number | null;
  ready: boolean;
  unmet: { condition: string; reason: string }[];
  records: number;
  rejects: number;
  verdicts_open: number;
  /** Devices with an open verdict that another process of the group raised, or an earlier one: it is not listed here. */
  verdicts_elsewhere: number;
  /** Null where nobody carries out what people decide. */
  waiting_approvals: number | null;
  mode: Mode;
  clients: number;
}

export interface FullStatus extends Status {
  rejects_by_reason: Record<string, number>;
  version: string;
  uptime_s: number;
  late: number;
  duplicates: number;
}
