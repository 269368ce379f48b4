/** A server that shows a plant of 50,000 devices which never rests, and knows what every lamp is. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Board, Counts, Lamp, LampRow, Plant, VerdictRow } from "../../../src/wire";
import { told } from "../look";

const SEGMENTS = 10;
const OF_EACH = 5_000;
const TYPES = ["coolant_system", "tool_monitor"];
const LAMPS: readonly Lamp[] = ["normal", "unknown", "low", "medium", "high", "critical"];
const GRADES = { low: "LOW", medium: "MEDIUM", high: "HIGH", critical: "CRITICAL" } as const;
const BEGAN = Date.parse("2025-12-14T01:30:00Z");
const STEP_MS = 20;
const STEP_CHANGES = 20;

interface Device {
  id: string;
  segment: number;
  lamp: Lamp;
  verdict: number;
}

export class LargePlant {
  readonly devices: Device[] = [];
  /** Events so far. */
  events = 0;
  readonly #streams = new Set<ServerResponse>();
  readonly #kept: string[] = [];
  #server: Server | null = null;
  #timers: NodeJS.Timeout[] = [];
  #random = 1;
  #waiting: { events: number; done: () => void }[] = [];

  constructor() {
    for (let segment = 0; segment < SEGMENTS; segment += 1) {
      for (let number = 0; number < OF_EACH; number += 1) {
        const id = `device-${segment}-${String(number).padStart(4, "0")}`;
        this.devices.push({ id, segment, lamp: "normal", verdict: 0 });
      }
    }
  }

  async open(): Promise<string> {
    const server = createServer((request, answer) => this.#answer(request, answer));
    this.#server = server;
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    this.#timers.push(setInterval(() => this.#status(), 1_000));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  }

  /** Resolves once there have been so many events. */
  told(events: number): Promise<void> {
    return new Promise((done) => this.#waiting.push({ events, done }));
  }

  /** From now on 1,000 lamps turn in a second; until the returned function is called. */
  disturb(): () => void {
    const timer = setInterval(() => {
      for (let change = 0; change < STEP_CHANGES; change += 1) this.#change();
    }, STEP_MS);
    this.#timers.push(timer);
    return () => clearInterval(timer);
  }

  close(): void {
    this.#timers.forEach((timer) => clearInterval(timer));
    this.#streams.forEach((stream) => stream.destroy());
    this.#server?.close();
  }

  counts(of = this.devices): Counts {
    const counts: Counts = { critical: 0, high: 0, medium: 0, low: 0, normal: 0, unknown: 0 };
    for (const { lamp } of of) counts[lamp] += 1;
    return counts;
  }

  of(segment: number): Device[] {
    return this.devices.slice(segment * OF_EACH, (segment + 1) * OF_EACH);
  }

  /** The same numbers every time. */
  #draw(below: number): number {
    this.#random = (Math.imul(this.#random, 1_103_515_245) + 12_345) & 0x7fffffff;
    return Math.floor((this.#random / 0x80000000) * below);
  }

  #at(): string {
    return new Date(BEGAN + this.events * 10).toISOString();
  }

  #change(): void {
    const device = this.devices[this.#draw(this.devices.length)];
    const lamp = LAMPS[this.#draw(LAMPS.length)];
    if (device === undefined || lamp === undefined) return;
    if (device.lamp in GRADES) this.#verdict(device, device.lamp, "cleared");
    if (lamp in GRADES) {
      device.verdict += 1;
      device.lamp = lamp;
      this.#verdict(device, lamp, "raised");
    } else {
      device.lamp = lamp;
    }
    const band = lamp === "unknown" ? "unknown" : "low";
    this.#tell("risk", { device_id: device.id, event_time: this.#at(), verdict_id: null, lamp, score: 1, trust: 99, band });
  }

  #verdict(device: Device, lamp: Lamp, state: VerdictRow["state"]): void {
    const row: VerdictRow = {
      verdict_id: `${device.id}-${device.verdict}`,
      revision: state === "raised" ? 1 : 2,
      state,
      device_id: device.id,
      device_type: "tool_monitor",
      segment: `segment-${device.segment}`,
      grade: GRADES[lamp as keyof typeof GRADES],
      event_time: this.#at(),
      updated: this.#at(),
      sentence: "It connected to an address that is not among the destinations of its profile.",
      action: "watch",
      approval: "automatic",
      mode: "monitor",
      detectors: ["unknown_destination"],
    };
    this.#tell("verdict", row);
  }

  #tell(event: string, data: unknown): void {
    this.events += 1;
    const text = `id: b-${this.events}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
    this.#kept.push(text);
    for (const stream of this.#streams) stream.write(text);
    this.#waiting = this.#waiting.filter(({ events, done }) => events > this.events || done());
  }

  #status(): void {
    const status = {
      at: this.#at(), events_per_second: 1000, lag_ms: 5, ready: true, unmet: [], records: this.events,
      rejects: 0, verdicts_open: 0, verdicts_elsewhere: 0, waiting_approvals: 0, mode: "monitor", clients: 1,
    };
    for (const stream of this.#streams) stream.write(`event: status\ndata: ${JSON.stringify(status)}\n\n`);
  }

  #answer(request: IncomingMessage, answer: ServerResponse): void {
    const url = new URL(request.url ?? "/", "http://localhost");
    switch (url.pathname) {
      case "/":
        return this.#file(answer, "index.html", "text/html");
      case "/assets/app.js":
        return this.#file(answer, "app.js", "text/javascript");
      case "/assets/app.css":
        return this.#file(answer, "app.css", "text/css");
      case "/v1/plant":
        return this.#json(answer, this.#plant());
      case "/v1/board":
        return this.#json(answer, this.#board(url.searchParams.get("segment")));
      case "/v1/verdicts":
        return this.#json(answer, { verdicts: [], next: null });
      case "/v1/commands":
        return this.#json(answer, { commands: [] });
      case "/v1/events":
        return this.#stream(answer, Number(String(request.headers["last-event-id"]).split("-")[1]));
      default:
        answer.writeHead(404).end();
    }
  }

  #file(answer: ServerResponse, name: string, kind: string): void {
    answer.writeHead(200, { "Content-Type": kind });
    answer.end(readFileSync(join(told("PAGE_ROOT"), "dist", name)));
  }

  #json(answer: ServerResponse, body: unknown): void {
    answer.writeHead(200, { "Content-Type": "application/json" });
    answer.end(JSON.stringify(body));
  }

  #stream(answer: ServerResponse, after: number): void {
    answer.writeHead(200, { "Content-Type": "text/event-stream" });
    this.#kept.slice(after).forEach((text) => answer.write(text));
    this.#streams.add(answer);
    answer.on("close", () => this.#streams.delete(answer));
    this.#status();
  }

  #plant(): Plant {
    const segment = (index: number) => ({ id: `segment-${index}`, name: "", line: "hall", devices: OF_EACH });
    const segments = Array.from({ length: SEGMENTS }, (_, index) => segment(index));
    return { site: "large", timezone: "UTC", version: "0", mode: "monitor", lines: [{ name: "hall", segments }], types: [] };
  }

  #board(only: string | null): Board {
    const row = ({ id, lamp }: Device, index: number): LampRow => [id, TYPES[index % 2] ?? "", lamp, 1, null];
    const segments = Array.from({ length: SEGMENTS }, (_, index) => {
      const devices = this.of(index);
      const id = `segment-${index}`;
      return { id, counts: this.counts(devices), lamps: only === id ? devices.map(row) : null };
    });
    const asked = only === null ? segments : segments.filter(({ id }) => id === only);
    return { seq: `b-${this.events}`, at: this.#at(), counts: this.counts(), segments: asked };
  }
}
