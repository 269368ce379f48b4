/** The session with the server: reads the snapshot, follows the stream, and tells the views. */

import { batch, computed, signal } from "@preact/signals";
import { get, Problem, sentence } from "../net/client";
import type { ServerEvent } from "../net/sse";
import { Stream } from "../net/stream";
import { isOver } from "../words/names";
import { PlantClock } from "../words/time";
import type { Board, Order, Plant, RiskEvent, Status, SuppressionEvent, VerdictRow } from "../wire";
import { OpenVerdicts, place, PlantModel, worseFirst } from "./model";
import { Queue } from "./queue";

export type Link = { state: "loading" } | { state: "live" } | { state: "lost"; reason: string };

/** How often counts are read again while lamps change that are not loaded. */
const RECOUNT_MS = 2_000;
const RETRY_MS = 1_000;
/** Event time that stands still for so long is told, although the server answers. */
const STILL_MS = 15_000;

export const link = signal<Link>({ state: "loading" });
export const plant = signal<Plant | null>(null);
export const status = signal<Status | null>(null);
/** Event time of the newest data. */
export const now = signal<string | null>(null);
/** Whether event time stands still. */
export const isStill = signal(false);
export const model = signal<PlantModel | null>(null);
/** Grows with every change of the whole plant's counts. */
export const countsVersion = signal(0);
export const open = signal<readonly VerdictRow[]>([]);
/** Whether there are more open verdicts than were read. */
export const openIsCut = signal(false);
/** The latest order of each verdict. */
export const orders = signal<ReadonlyMap<string, Order>>(new Map());
/** Grows with every order that came; views of one device or of approvals read again. */
export const ordersVersion = signal(0);
/** Grows with every incident that reads differently. */
export const incidentsVersion = signal(0);
/** The verdict that came last, of several the worst: for screen readers. */
export const latest = signal<VerdictRow | null>(null);
/** The devices that the last events were about: for views of one of them. */
export const news = signal<ReadonlySet<string>>(new Set());

export const clock = computed(() => new PlantClock(plant.value?.timezone ?? "UTC"));
export const isLost = computed(() => link.value.state === "lost");

const verdicts = new OpenVerdicts();
const versions = new Map<string, ReturnType<typeof signal<number>>>();
const known = new Map<string, Order>();
const queue = new Queue<ServerEvent>(apply);
let stream: Stream | null = null;
let recounting: ReturnType<typeof setTimeout> | null = null;
let stillSince = Date.now();

/** Grows when a segment's lamps are others, not when one of them turns: that it draws itself. */
export function segmentVersion(id: string): { value: number | undefined } {
  let version = versions.get(id);
  if (version === undefined) {
    version = signal<number>(0);
    versions.set(id, version);
  }
  return version;
}

/** Reads everything, then follows. Tries until it succeeds. */
export async function start(): Promise<void> {
  stream?.stop();
  for (;;) {
    try {
      const board = await snapshot();
      stream = new Stream("v1/events", board.seq, {
        event: (event) => (event.event === "reset" ? void restart() : queue.push(event)),
        live: () => (link.value = { state: "live" }),
        lost: (reason) => (link.value = { state: "lost", reason }),
      });
      return;
    } catch (error) {
      const isRefused = error instanceof Problem && (error.status === 401 || error.status === 403);
      link.value = { state: "lost", reason: isRefused ? refusal(error) : sentence(error) };
      await new Promise((done) => setTimeout(done, RETRY_MS));
    }
  }
}

function refusal(error: Problem): string {
  return `${error.message} Open the page with the address that the server prints, or hand in a token under Approvals.`;
}

let isRestarting = false;

async function restart(): Promise<void> {
  if (isRestarting) return;
  isRestarting = true;
  queue.clear();
  await start();
  isRestarting = false;
}

async function snapshot(): Promise<Board> {
  const [site, board] = await Promise.all([get<Plant>("v1/plant"), get<Board>("v1/board")]);
  const [listed, orderList] = await Promise.all([
    get<{ verdicts: VerdictRow[]; next: string | null }>("v1/verdicts?state=open&limit=500"),
    readOrders(),
  ]);
  verdicts.replace(listed.verdicts);
  known.clear();
  orderList.forEach(remember);
  batch(() => {
    plant.value = site;
    model.value = new PlantModel(board);
    now.value = board.at;
    open.value = verdicts.sorted();
    openIsCut.value = listed.next !== null;
    orders.value = new Map(known);
    ordersVersion.value += 1;
    countsVersion.value += 1;
    for (const version of versions.values()) version.value = (version.value ?? 0) + 1;
  });
  return board;
}

/** Orders are told of where there is a life cycle of commands; without one there are none. */
async function readOrders(): Promise<Order[]> {
  try {
    return (await get<{ commands: Order[] }>("v1/commands?state=open&limit=500")).commands;
  } catch (error) {
    if (error instanceof Problem && error.status === 404) return [];
    throw error;
  }
}

/** All that came since the last frame, in one go. */
function apply(events: readonly ServerEvent[]): void {
  const plantModel = model.peek();
  if (plantModel === null) return;
  const changed: Changed = { lamps: false, devices: new Set(), open: false, orders: false, incidents: false, worst: null };
  batch(() => {
    for (const event of events) one(plantModel, event, changed);
    if (changed.lamps) countsVersion.value += 1;
    if (changed.devices.size > 0) news.value = changed.devices;
    if (changed.worst !== null) latest.value = changed.worst;
    if (changed.open) open.value = verdicts.sorted();
    if (changed.incidents) incidentsVersion.value += 1;
    if (changed.orders) {
      orders.value = new Map(known);
      ordersVersion.value += 1;
    }
  });
  plantModel.takeTouched().forEach((light) => light.draw?.());
  if (plantModel.isRough) recountSoon();
}

interface Changed {
  lamps: boolean;
  devices: Set<string>;
  open: boolean;
  orders: boolean;
  incidents: boolean;
  worst: VerdictRow | null;
}

function one(plantModel: PlantModel, { id, event, data }: ServerEvent, changed: Changed): void {
  const seq = id === null ? 0 : place(id).number;
  const turned = (segment: string | null) => (changed.lamps ||= segment !== null);
  if (event === "risk") {
    const risk = JSON.parse(data) as RiskEvent;
    changed.devices.add(risk.device_id);
    advance(risk.event_time);
    turned(plantModel.risk(risk, seq));
    // A process that holds the device now may have ended what this one had open of it.
    if (verdicts.drop(risk)) changed.open = true;
  } else if (event === "verdict") {
    const row = JSON.parse(data) as VerdictRow;
    changed.devices.add(row.device_id);
    advance(row.updated);
    turned(plantModel.verdict(row, seq));
    // The list may be newer than the lamps: it was read after them.
    if (!verdicts.apply(row)) return;
    changed.open = true;
    if (row.state === "cleared" && isOver(known.get(row.verdict_id)?.state ?? "released")) {
      known.delete(row.verdict_id);
    }
    if (changed.worst === null || worseFirst(row, changed.worst) <= 0) changed.worst = row;
  } else if (event === "command") {
    const order = JSON.parse(data) as Order;
    changed.devices.add(order.command.device_id);
    remember(order);
    changed.orders = true;
    turned(plantModel.reword(order.command.device_id));
  } else if (event === "suppression") {
    changed.devices.add((JSON.parse(data) as SuppressionEvent).device_id);
  } else if (event === "incident") {
    changed.incidents = true;
  } else if (event === "status") {
    told(JSON.parse(data) as Status);
  }
}

/** What came of an act, before the stream tells of it. */
export function acted(order: Order): void {
  batch(() => {
    const { verdict_id: id, command_id: command } = order.command;
    const before = known.get(id);
    const waited = before?.command.command_id === command && before.state === "proposed" && order.state !== "proposed";
    const told = status.peek();
    if (waited && told !== null && told.waiting_approvals !== null) {
      // How many wait is told once a second; who has just decided sees it at once.
      status.value = { ...told, waiting_approvals: Math.max(0, told.waiting_approvals - 1) };
    }
    remember(order);
    orders.value = new Map(known);
    ordersVersion.value += 1;
    news.value = new Set([order.command.device_id]);
  });
  const plantModel = model.peek();
  plantModel?.reword(order.command.device_id);
  plantModel?.takeTouched().forEach((light) => light.draw?.());
}

/** The open verdict of a device. */
export function openOf(device: string): VerdictRow | undefined {
  return verdicts.of(device);
}

/** Kept while its verdict is open or somebody has to act on it: a stream of weeks must not fill the page. */
function remember(order: Order): void {
  const { verdict_id: id, step } = order.command;
  const before = known.get(id);
  if (before !== undefined && (before.command.step > step || isEarlier(order, before))) return;
  if (isOver(order.state) && !verdicts.has(id)) known.delete(id);
  else known.set(id, order);
}

/** Of one command: what an answer told may be newer than what the stream tells after it. */
function isEarlier(order: Order, than: Order): boolean {
  return order.command.command_id === than.command.command_id && Date.parse(order.updated) < Date.parse(than.updated);
}

/** Event time never goes back: what is told once a second may be older than the newest event. */
function advance(at: string | null): void {
  const newest = now.peek();
  if (at === null || (newest !== null && Date.parse(at) <= Date.parse(newest))) return;
  stillSince = Date.now();
  now.value = at;
}

function told(given: Status): void {
  status.value = given;
  advance(given.at);
  isStill.value = Date.now() - stillSince > STILL_MS;
}

function recountSoon(): void {
  recounting ??= setTimeout(() => {
    void get<Board>("v1/board")
      .then(recount)
      .catch(() => undefined)
      .finally(() => {
        recounting = null;
        // More came while that was on its way.
        if (model.peek()?.isRough === true) recountSoon();
      });
  }, RECOUNT_MS);
}

function recount(board: Board): void {
  const plantModel = model.peek();
  plantModel?.recount(board);
  plantModel?.takeTouched().forEach((light) => light.draw?.());
  batch(() => {
    for (const { id, lamps } of board.segments) if (lamps !== null) bump(id);
    countsVersion.value += 1;
  });
}

function bump(segment: string): void {
  const version = segmentVersion(segment);
  version.value = (version.value ?? 0) + 1;
}

/** Lamps of one segment of a large plant. */
export async function loadSegment(id: string, signal: AbortSignal): Promise<void> {
  const board = await get<Board>(`v1/board?segment=${encodeURIComponent(id)}`, signal);
  if (!board.segments.some((segment) => segment.id === id)) throw new Problem(404, `There is no segment "${id}".`);
  recount(board);
}
