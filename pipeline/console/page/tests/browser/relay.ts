/** Stands between a page and its server, so that the connection can be lost. */

import { connect, createServer, type Server, type Socket } from "node:net";
import { once } from "node:events";
import type { AddressInfo } from "node:net";

export class Relay {
  readonly #to: URL;
  readonly #sockets = new Set<Socket>();
  #server: Server | null = null;
  #port = 0;

  constructor(url: string) {
    this.#to = new URL(url);
  }

  /** Where the page is found through it; after a loss the same again. */
  async open(): Promise<string> {
    const server = createServer((from) => {
      const to = connect(Number(this.#to.port), this.#to.hostname);
      for (const [one, other] of [[from, to], [to, from]] as const) {
        this.#sockets.add(one);
        one.on("error", () => other.destroy());
        one.on("close", () => this.#sockets.delete(one));
        one.pipe(other);
      }
    });
    this.#server = server;
    server.listen(this.#port, "127.0.0.1");
    await once(server, "listening");
    this.#port = (server.address() as AddressInfo).port;
    const url = new URL(this.#to);
    url.port = String(this.#port);
    return url.href;
  }

  /** Cuts every connection and takes no other one. */
  lose(): void {
    this.#server?.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
