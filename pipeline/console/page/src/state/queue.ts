/** Gathers what comes between two frames, so that a burst is one change of the page. */

/** Hidden pages get no frames; they must not gather for ever. */
const HIDDEN_MS = 500;

export class Queue<T> {
  readonly #apply: (items: readonly T[]) => void;
  #items: T[] = [];
  #isPlanned = false;

  constructor(apply: (items: readonly T[]) => void) {
    this.#apply = apply;
  }

  push(item: T): void {
    this.#items.push(item);
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    const frame = requestAnimationFrame(() => this.#flush(timer));
    const timer = setTimeout(() => {
      cancelAnimationFrame(frame);
      this.#flush(timer);
    }, HIDDEN_MS);
  }

  clear(): void {
    this.#items = [];
  }

  #flush(timer: ReturnType<typeof setTimeout>): void {
    clearTimeout(timer);
    const items = this.#items;
    this.#items = [];
    this.#isPlanned = false;
    if (items.length > 0) this.#apply(items);
  }
}
