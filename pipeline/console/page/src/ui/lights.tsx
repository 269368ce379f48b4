/**
 * Lamps of one type in a segment, in rows that never reshuffle. One stop of the Tab key; the arrows
 * walk within. Where there are very many, only the rows in sight are in the document.
 */

import { Component, createRef } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { clock, openOf, orders } from "../state/session";
import { to } from "../state/route";
import type { Light } from "../state/model";
import { spoken } from "../words/names";
import { responseState } from "../words/response";
import { lightName, Sign } from "./lamp";

/** Width and height of a lamp's place, as in the style sheet. */
const PLACE = 24;
/** From so many on, lamps out of sight are left out. */
const VIRTUAL_FROM = 600;

export function Lights({ lights, version }: { lights: readonly Light[]; version: number }) {
  const list = useRef<HTMLUListElement>(null);
  const [columns, setColumns] = useState(0);
  const [rows, setRows] = useState<[number, number]>([0, 40]);
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
      if (box === undefined) return;
      const first = Math.max(0, Math.floor(-box.top / PLACE) - 10);
      const last = Math.max(0, Math.ceil((innerHeight - box.top) / PLACE) + 10);
      setRows((old) => (old[0] === first && old[1] === last ? old : [first, last]));
    };
    look();
    addEventListener("scroll", look, { passive: true });
    addEventListener("resize", look);
    return () => {
      removeEventListener("scroll", look);
      removeEventListener("resize", look);
    };
  }, [isVirtual, columns]);

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

  const [from, until] = isVirtual
    ? [rows[0] * columns, Math.min(lights.length, rows[1] * columns)]
    : [0, lights.length];
  const height = isVirtual && columns > 0 ? Math.ceil(lights.length / columns) * PLACE : undefined;
  return (
    <ul
      ref={list}
      class={isVirtual ? "lights virtual" : "lights"}
      style={height === undefined ? undefined : { height: `${height}px` }}
      onKeyDown={walk}
      data-version={version}
    >
      {lights.slice(from, until).map((light, index) => {
        const at = from + index;
        const place = isVirtual
          ? { left: `${(at % columns) * PLACE}px`, top: `${Math.floor(at / columns) * PLACE}px` }
          : undefined;
        return (
          <li key={light.id} style={place}>
            <LightLink
              light={light}
              changes={light.changes}
              words={light.words}
              stop={at === focus}
              index={at}
              onFocus={() => setFocus(at)}
            />
          </li>
        );
      })}
    </ul>
  );
}

/** Moves the keyboard's focus to a lamp, which may first have to come into the document. */
function reveal(list: HTMLUListElement | null, index: number, columns: number, isVirtual: boolean): void {
  if (list === null) return;
  if (isVirtual) {
    const top = list.getBoundingClientRect().top + Math.floor(index / columns) * PLACE;
    if (top < 80 || top > innerHeight - 80) scrollBy({ top: top - innerHeight / 2 });
  }
  requestAnimationFrame(() =>
    requestAnimationFrame(() => list.querySelector<HTMLElement>(`[data-index="${index}"]`)?.focus()),
  );
}

interface LinkProps {
  light: Light;
  changes: number;
  words: number;
  stop: boolean;
  index: number;
  onFocus: () => void;
}

/** Drawn again only when its own lamp changed: a burst elsewhere must not cost it anything. */
class LightLink extends Component<LinkProps> {
  readonly #sign = createRef<HTMLAnchorElement>();

  override shouldComponentUpdate(next: LinkProps): boolean {
    const { light, changes, words, stop, index } = this.props;
    return (
      next.light !== light ||
      next.changes !== changes ||
      next.words !== words ||
      next.stop !== stop ||
      next.index !== index
    );
  }

  override componentDidUpdate(before: LinkProps): void {
    const { light, changes } = this.props;
    if (before.light === light && before.changes !== changes) pulse(this.#sign.current);
  }

  render({ light, stop, index, onFocus }: LinkProps) {
    const name = describe(light);
    return (
      <a
        ref={this.#sign}
        href={to.device(light.id)}
        class="light"
        title={name}
        aria-label={name}
        tabIndex={stop ? 0 : -1}
        data-index={index}
        data-lamp={light.lamp}
        onFocus={onFocus}
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
