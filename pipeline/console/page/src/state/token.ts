/**
 * The token a person acts with: from the fragment of the address, which no server and no log ever
 * sees, kept for this tab only.
 */

import { signal } from "@preact/signals";

const KEY = "andon.token";

export const token = signal("");

/** Takes a token out of a fragment such as `#token=…` or `#/approvals?token=…`. */
export function splitToken(fragment: string): { token: string; rest: string } {
  const found = /(^#?|[?&])token=([^&]*)/.exec(fragment);
  if (found === null) return { token: "", rest: fragment };
  const rest = fragment.replace(found[0], found[1] === "&" || found[1] === "#" ? "" : (found[1] ?? ""));
  return { token: decode(found[2] ?? ""), rest: rest.replace(/[?&#]$/, "").replace("?&", "?") };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

/** Reads the token once and removes it from the address, so that it is not pasted into a ticket. */
export function takeToken(): void {
  const { token: given, rest } = splitToken(location.hash);
  if (given !== "") {
    keep(given);
    history.replaceState(null, "", rest === "" ? "#/" : rest);
  } else {
    token.value = stored();
  }
}

export function keep(given: string): void {
  token.value = given;
  try {
    sessionStorage.setItem(KEY, given);
  } catch {
    // Storage may be forbidden; then it lives as long as the page.
  }
}

function stored(): string {
  try {
    return sessionStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}
