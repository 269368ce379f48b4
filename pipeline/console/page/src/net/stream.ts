/** Keeps one event stream open: resumes where it was, and knows within seconds that it is lost. */

import { withToken } from "./client";
import { EventParser, type ServerEvent } from "./sse";

/** The server says something every second; after so long in silence it counts as lost. */
const SILENCE_MS = 3_500;
const PAUSES_MS = [250, 500, 1_000, 2_000];

export interface Listener {
  /** Something arrived. */
  event(event: ServerEvent): void;
  /** The stream is open and talks. */
  live(): void;
  /** It does not, and why. */
  lost(reason: string): void;
}

export class Stream {
  readonly #path: string;
  readonly #listener: Listener;
  #after: string;
  #abort = new AbortController();
  #isStopped = false;

  /** Opens a stream that goes on after the given id. */
  constructor(path: string, after: string, listener: Listener) {
    this.#path = path;
    this.#after = after;
    this.#listener = listener;
    void this.#run();
  }

  stop(): void {
    this.#isStopped = true;
    this.#abort.abort();
  }

  async #run(): Promise<void> {
    for (let tries = 0; !this.#isStopped; ) {
      const heard = await this.#once();
      if (this.#isStopped) return;
      tries = heard ? 0 : Math.min(tries + 1, PAUSES_MS.length - 1);
      await new Promise((done) => setTimeout(done, PAUSES_MS[tries]));
    }
  }

  /** One connection, to its end; whether anything was heard. */
  async #once(): Promise<boolean> {
    this.#abort = new AbortController();
    const abort = this.#abort;
    let silence = setTimeout(() => abort.abort(), SILENCE_MS);
    let heard = false;
    try {
      const headers = withToken({ Accept: "text/event-stream", "Last-Event-ID": this.#after });
      const answer = await fetch(this.#path, {
        headers,
        signal: abort.signal,
        cache: "no-store",
        credentials: "omit",
      });
      if (!answer.ok || answer.body === null) {
        this.#listener.lost(`The server refuses the event stream (status ${answer.status}).`);
        return false;
      }
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      const parser = new EventParser();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        clearTimeout(silence);
        silence = setTimeout(() => abort.abort(), SILENCE_MS);
        if (!heard) this.#listener.live();
        heard = true;
        for (const event of parser.push(value)) {
          if (this.#isStopped) return true;
          if (event.id !== null) this.#after = event.id;
          this.#listener.event(event);
        }
      }
      this.#tell("The server closed the connection.");
    } catch {
      this.#tell(abort.signal.aborted ? "Nothing was heard from the server for seconds." : "The server cannot be reached.");
    } finally {
      clearTimeout(silence);
      abort.abort();
    }
    return heard;
  }

  #tell(reason: string): void {
    if (!this.#isStopped) this.#listener.lost(reason);
  }
}
