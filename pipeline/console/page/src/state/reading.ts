/** Reads what a view shows, and again as things happen; one reading at a time. */

import { useEffect, useRef, useState } from "preact/hooks";

/** Whatever happens, nothing is read more often: a burst about one device is one reading. */
const PAUSE_MS = 250;

export interface Reading<T> {
  /** What was read last; null before, and while another key is read for the first time. */
  value: T | null;
  /** Why the last reading failed; null if it did not. */
  problem: unknown;
}

/**
 * One reading at a time: what is news while it is on its way makes one more after it, so that the
 * last one is never older than the last news, and a flood of news never keeps it from ending.
 */
export class Reader {
  readonly #read: () => Promise<void>;
  readonly #pause: () => Promise<void>;
  #isReading = false;
  #isStale = false;
  #isStopped = false;

  constructor(read: () => Promise<void>, pause = () => new Promise<void>((done) => setTimeout(done, PAUSE_MS))) {
    this.#read = read;
    this.#pause = pause;
  }

  async again(): Promise<void> {
    this.#isStale = true;
    if (this.#isReading) return;
    this.#isReading = true;
    while (this.#isStale && !this.#isStopped) {
      this.#isStale = false;
      await this.#read();
      await this.#pause();
    }
    this.#isReading = false;
  }

  stop(): void {
    this.#isStopped = true;
  }
}

/** Reads what a key names: at once, and again whenever `news` is another. */
export function useReading<T>(key: string, news: unknown, read: (signal: AbortSignal) => Promise<T>): Reading<T> {
  const [state, setState] = useState<Reading<T> & { key: string }>({ key, value: null, problem: null });
  const reader = useRef<Reader | null>(null);
  const seen = useRef(news);
  const latest = useRef(read);
  latest.current = read;
  useEffect(() => {
    const abort = new AbortController();
    const own = new Reader(async () => {
      try {
        const value = await latest.current(abort.signal);
        if (!abort.signal.aborted) setState({ key, value, problem: null });
      } catch (problem) {
        if (!abort.signal.aborted) setState((old) => ({ key, value: old.key === key ? old.value : null, problem }));
      }
    });
    reader.current = own;
    void own.again();
    return () => {
      own.stop();
      abort.abort();
    };
  }, [key]);
  useEffect(() => {
    if (seen.current === news) return;
    seen.current = news;
    void reader.current?.again();
  }, [news]);
  return state.key === key ? state : { value: null, problem: null };
}
