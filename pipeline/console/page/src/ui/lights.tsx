/**
 * Lamps of one type in a segment, in rows that never reshuffle. One stop of the Tab key; the arrows
 * walk within. Where there are very many, only the rows in sight are in the document. A lamp that
 * turns draws itself and nothing else.
 */

import { Component, createRef } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { clock, openOf, orders } from "../state/session";
import { to } from "../state/route";
import type { Light } from "../state/model";
import { spoken } from "../words/names";
import { responseState } from "../words/response";
import { lightName, Sign } from "./lamp";
import { followWindow, widened, type Rows } from "./window";

/** Width and height of a lamp's place, as in the style sheet. */
const PLACE = 24;
/** From so many on, lamps out of sight are left out. */
const VIRTUAL_FROM = 600;
/** So many rows out of sight are there already, above and below. */
const SPARE_ROWS = 10;
/** Rows that were in sight stay until there are so many lamps: to scroll back makes nothing anew. */
const KEPT = 5_000;

export function Lights({ lights }: { lights: readonly Light[] }) {
  const list = useRef<HTMLDivElement>(null);
  const [columns, setColumns] = useState(0);
  const [rows, setRows] = useState<Rows>([0, 40]);
  const [focus, setFocus] = useState(0);
  const isVirtual = lights.length > VIRTUAL_FROM;

  useLayoutEffect(() => {
    const element = list.current;
    if (element === null) return;
    const measure = () => setColumns(Math.max(1, Math.floor(element.clientWidth / PLACE)));
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  useEffect(() => {
    if (!isVirtual) return;
    const look = () => {
      const box = list.current?.getBoundingClientRect();
      if (box === undefined || columns === 0) return;
      const inside = (row: number) => Math.min(Math.max(0, row), Math.ceil(lights.length / columns));
      const first = inside(Math.floor(-box.top / PLACE) - SPARE_ROWS);
      const last = inside(Math.ceil((innerHeight - box.top) / PLACE) + SPARE_ROWS);
      setRows((there) => widened(there, [first, last], Math.floor(KEPT / columns)));
    };
    look();
    return followWindow(look);
  }, [isVirtual, columns, lights.length]);

  const walk = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    const edge = { Home: 0, End: lights.length - 1 }[event.key];
    if (step === undefined && edge === undefined) return;
    event.preventDefault();
    const next = edge ?? focus + (step ?? 0);
    if (next < 0 || next >= lights.length) return;
    setFocus(next);
    reveal(list.current, next, columns, isVirtual);
  };
  const onFocus = (event: FocusEvent) => {
    const index = (event.target as HTMLElement).dataset["index"];
    if (index !== undefined) setFocus(Number(index));
  };

  const shown = isVirtual ? rowsOf(lights.length, columns, rows) : [{ from: 0, until: lights.length }];
  const height = isVirtual && columns > 0 ? Math.ceil(lights.length / columns) * PLACE : undefined;
  return (
    <div
      ref={list}
      class={isVirtual ? "lights virtual" : "lights"}
      style={height === undefined ? undefined : { height: `${height}px` }}
      onKeyDown={walk}
      onFocusCapture={onFocus}
    >
      {shown.map(({ from, until }) => (
        <Row
          key={from}
          lights={lights}
          from={from}
          until={until}
          stop={focus >= from && focus < until ? focus : -1}
          top={isVirtual ? (from / columns) * PLACE : null}
        />
      ))}
    </div>
  );
}

function rowsOf(count: number, columns: number, [first, last]: Rows): { from: number; until: number }[] {
  const found = [];
  for (let from = first * columns; columns > 0 && from < Math.min(count, last * columns); from += columns) {
    found.push({ from, until: Math.min(count, from + columns) });
  }
  return found;
}

/** Moves the keyboard's focus to a lamp, which may first have to come into the document. */
function reveal(list: HTMLElement | null, index: number, columns: number, isVirtual: boolean): void {
  if (list === null) return;
  if (isVirtual) {
    const top = list.getBoundingClientRect().top + Math.floor(index / columns) * PLACE;
    if (top < 80 || top > innerHeight - 80) scrollBy({ top: top - innerHeight / 2 });
  }
  requestAnimationFrame(() =>
    requestAnimationFrame(() => list.querySelector<HTMLElement>(`[data-index="${index}"]`)?.focus()),
  );
}

interface RowProps {
  lights: readonly Light[];
  from: number;
  until: number;
  /** The one that the Tab key stops at; -1 if it is in another row. */
  stop: number;
  /** Where it stands, of rows that are placed; null of one that flows. */
  top: number | null;
}

class Row extends Component<RowProps> {
  override shouldComponentUpdate(next: RowProps): boolean {
    const { lights, from, until, stop, top } = this.props;
    return (
      next.lights !== lights || next.from !== from || next.until !== until || next.stop !== stop || next.top !== top
    );
  }

  render({ lights, from, until, stop, top }: RowProps) {
    return (
      <ul style={top === null ? undefined : { top: `${top}px` }}>
        {lights.slice(from, until).map((light, index) => (
          <li key={light.id}>
            <LightLink light={light} stop={from + index === stop} index={from + index} />
          </li>
        ))}
      </ul>
    );
  }
}

interface LinkProps {
  light: Light;
  stop: boolean;
  index: number;
}

/** Drawn again when its own lamp says that it changed. */
class LightLink extends Component<LinkProps> {
  readonly #link = createRef<HTMLAnchorElement>();
  readonly #draw = () => this.setState({});
  #shown = 0;

  override componentDidMount(): void {
    this.#follow(this.props.light);
  }

  override shouldComponentUpdate(next: LinkProps, state: object): boolean {
    const { light, stop, index } = this.props;
    return state !== this.state || next.light !== light || next.stop !== stop || next.index !== index;
  }

  override componentDidUpdate({ light: before }: LinkProps): void {
    const { light } = this.props;
    if (before !== light) {
      this.#leave(before);
      this.#follow(light);
    } else if (light.changes !== this.#shown) {
      this.#shown = light.changes;
      pulse(this.#link.current);
    }
  }

  override componentWillUnmount(): void {
    this.#leave(this.props.light);
  }

  #follow(light: Light): void {
    light.draw = this.#draw;
    this.#shown = light.changes;
  }

  /** Another view may show it by now. */
  #leave(light: Light): void {
    if (light.draw === this.#draw) light.draw = null;
  }

  render({ light, stop, index }: LinkProps) {
    const name = describe(light);
    return (
      <a
        ref={this.#link}
        href={to.device(light.id)}
        class="light"
        title={name}
        aria-label={name}
        tabIndex={stop ? 0 : -1}
        data-index={index}
        data-lamp={light.lamp}
      >
        <Sign lamp={light.lamp} size="middle" />
      </a>
    );
  }
}

function describe(light: Light): string {
  const isCalm = light.lamp === "normal" || light.lamp === "unknown";
  const row = isCalm ? undefined : openOf(light.id);
  const order = row === undefined ? undefined : orders.peek().get(row.verdict_id);
  const response = row === undefined ? "" : responseState(row, order);
  return lightName(light, spoken(light.type), clock.value.day(light.since), response);
}

/** Once, when it changes; never for people who asked for less motion. */
function pulse(element: HTMLElement | null): void {
  if (element === null || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  element.animate(
    [{ transform: "scale(1)" }, { transform: "scale(1.9)" }, { transform: "scale(1)" }],
    { duration: 900, easing: "ease-out" },
  );
}
