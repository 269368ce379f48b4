/** The keyboard: every key, what it does, and the sheet that lists them. */

import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { go, route, to } from "../state/route";

export const isHelpOpen = signal(false);

const KEYS: readonly [string, string][] = [
  ["/", "search for a device"],
  ["j, k", "next, previous item of a list"],
  ["Enter", "open it"],
  ["arrows", "walk from lamp to lamp"],
  ["b", "the board"],
  ["a", "approvals; there: approve the one in focus, or the first"],
  ["i", "incidents"],
  ["p", "profiles"],
  ["h", "health"],
  ["Esc", "back, or close this"],
  ["?", "this list"],
];

export function followKeys(): void {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (isHelpOpen.value && event.key !== "?") return;
    if (press(event.key)) event.preventDefault();
  });
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches("input, textarea, select, [contenteditable]");
}

function press(key: string): boolean {
  switch (key) {
    case "/":
      return search();
    case "j":
      return step(1);
    case "k":
      return step(-1);
    case "b":
      go(to.board);
      return true;
    case "i":
      go(to.incidents);
      return true;
    case "p":
      go(to.profiles);
      return true;
    case "h":
      go(to.health);
      return true;
    case "a":
      return approve();
    case "?":
      isHelpOpen.value = !isHelpOpen.value;
      return true;
    case "Escape":
      if (route.value.view === "board") return false;
      history.back();
      return true;
    default:
      return false;
  }
}

function search(): boolean {
  if (route.value.view !== "devices") go(to.devices());
  soon(() => document.querySelector<HTMLInputElement>("[data-search]"));
  return true;
}

/** Focus, as soon as it is there: a view may still have to be drawn. */
function soon(find: () => HTMLElement | null, tries = 20): void {
  const found = find();
  if (found !== null) found.focus();
  else if (tries > 0) requestAnimationFrame(() => soon(find, tries - 1));
}

function step(by: 1 | -1): boolean {
  const items = [...document.querySelectorAll<HTMLElement>("[data-item]")];
  const at = items.findIndex((item) => item === document.activeElement);
  const next = at === -1 ? (by === 1 ? 0 : items.length - 1) : at + by;
  items[next]?.focus();
  items[next]?.scrollIntoView({ block: "nearest" });
  return items.length > 0;
}

function approve(): boolean {
  if (route.value.view !== "approvals") {
    go(to.approvals);
    return true;
  }
  const focused = document.activeElement?.closest("[data-command]")?.querySelector<HTMLElement>("[data-approve]");
  const button = focused ?? document.querySelector<HTMLElement>("[data-approve]");
  button?.click();
  return button !== null;
}

export function Help() {
  const sheet = useRef<HTMLDialogElement>(null);
  const isOpen = isHelpOpen.value;
  useEffect(() => {
    if (isOpen) sheet.current?.showModal();
    else sheet.current?.close();
  }, [isOpen]);
  return (
    <dialog ref={sheet} class="help" aria-labelledby="help-heading" onClose={() => (isHelpOpen.value = false)}>
      <h2 id="help-heading">Keys</h2>
      <dl>
        {KEYS.map(([key, does]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <button type="button" onClick={() => (isHelpOpen.value = false)}>
        Close
      </button>
    </dialog>
  );
}
