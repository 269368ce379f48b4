/** The session with the server: reads the snapshot, follows the stream, and tells the views. */

import { batch, computed, signal } from "@preact/signals";
import { get, Problem, sentence } from "../net/client";
import type { ServerEvent } from "../net/sse";
import { Stream } from "../net/stream";
import { isOver } from "../words/names";
import { PlantClock } from "../words/time";
import type { Board, Order, Plant, RiskEvent, Status, VerdictRow } from "../wire";
import { OpenVerdicts, PlantModel, worseFirst } from "./model";
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

/** Grows with every change of one segment's lamps. */
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
  const changed: Changed = { segments: new Set(), devices: new Set(), open: false, orders: false, worst: null };
  batch(() => {
    for (const { event, data } of events) one(plantModel, event, data, changed);
    for (const id of changed.segments) {
      const version = segmentVersion(id);
      version.value = (version.value ?? 0) + 1;
    }
    if (changed.segments.size > 0) countsVersion.value += 1;
    if (changed.devices.size > 0) news.value = changed.devices;
    if (changed.worst !== null) latest.value = changed.worst;
    if (changed.open) open.value = verdicts.sorted();
    if (changed.orders) {
      orders.value = new Map(known);
      ordersVersion.value += 1;
    }
  });
  if (plantModel.isRough) recountSoon();
}

interface Changed {
  segments: Set<string>;
  devices: Set<string>;
  open: boolean;
  orders: boolean;
  worst: VerdictRow | null;
}

function one(plantModel: PlantModel, event: string, data: string, changed: Changed): void {
  if (event === "risk") {
    const risk = JSON.parse(data) as RiskEvent;
    changed.devices.add(risk.device_id);
    const id = plantModel.risk(risk);
    if (id !== null) changed.segments.add(id);
  } else if (event === "verdict") {
    const row = JSON.parse(data) as VerdictRow;
    changed.devices.add(row.device_id);
    // The list may be newer than the lamps: it was read after them.
    const id = plantModel.verdict(row);
    if (id !== null) changed.segments.add(id);
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
  } else if (event === "status") {
    told(JSON.parse(data) as Status);
  }
}

/** Kept while its verdict is open or somebody has to act on it: a stream of weeks must not fill the page. */
function remember(order: Order): void {
  const { verdict_id: id, step } = order.command;
  if ((known.get(id)?.command.step ?? 0) > step) return;
  if (isOver(order.state) && !verdicts.has(id)) known.delete(id);
  else known.set(id, order);
}

function told(given: Status): void {
  const isNewer = given.at !== null && given.at !== now.peek();
  if (isNewer) stillSince = Date.now();
  status.value = given;
  if (given.at !== null) now.value = given.at;
  isStill.value = Date.now() - stillSince > STILL_MS;
}

function recountSoon(): void {
  recounting ??= setTimeout(() => {
    void get<Board>("v1/board")
      .then((board) => {
        model.peek()?.recount(board);
        countsVersion.value += 1;
      })
      .catch(() => undefined)
      .finally(() => (recounting = null));
  }, RECOUNT_MS);
}

/** Lamps of one segment of a large plant. */
export async function loadSegment(id: string, signal: AbortSignal): Promise<void> {
  const board = await get<Board>(`v1/board?segment=${encodeURIComponent(id)}`, signal);
  const given = board.segments.find((segment) => segment.id === id);
  if (given === undefined) throw new Problem(404, `There is no segment "${id}".`);
  model.peek()?.load(given);
  const version = segmentVersion(id);
  version.value = (version.value ?? 0) + 1;
}
