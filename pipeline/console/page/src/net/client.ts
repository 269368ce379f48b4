/** Requests to the server, and what is said when one fails. */

import { token } from "../state/token";

/** A problem document (RFC 9457), or what stands for one when the server gave none. */
export class Problem extends Error {
  readonly status: number;

  constructor(status: number, sentence: string) {
    super(sentence);
    this.name = "Problem";
    this.status = status;
  }
}

const TIMEOUT_MS = 10_000;

export function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return ask<T>(path, { method: "GET" }, signal);
}

/** One mutation. The key makes it the same request however often it is sent. */
export function post<T>(path: string, body: unknown, key: string): Promise<T> {
  return ask<T>(path, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "Content-Type": "application/json", "Idempotency-Key": key },
  });
}

export function withToken(headers: HeadersInit = {}): Headers {
  const all = new Headers(headers);
  if (token.value !== "") all.set("Authorization", `Bearer ${token.value}`);
  return all;
}

async function ask<T>(path: string, init: RequestInit, signal?: AbortSignal): Promise<T> {
  const limit = AbortSignal.timeout(TIMEOUT_MS);
  let answer: globalThis.Response;
  try {
    answer = await fetch(path, {
      ...init,
      headers: withToken(init.headers),
      signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
      credentials: "omit",
      cache: "no-store",
    });
  } catch (error) {
    if (signal?.aborted === true) throw error;
    throw new Problem(0, limit.aborted ? "The server did not answer within 10 s." : "The server cannot be reached.");
  }
  if (!answer.ok) throw new Problem(answer.status, await reason(answer));
  return (await answer.json()) as T;
}

async function reason(answer: globalThis.Response): Promise<string> {
  const fallback = `The server answered with status ${answer.status}.`;
  try {
    const document = (await answer.json()) as { title?: unknown; detail?: unknown };
    const said = document.detail ?? document.title;
    return typeof said === "string" && said !== "" ? said : fallback;
  } catch {
    return fallback;
  }
}

/** What to show of any failure. */
export function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
