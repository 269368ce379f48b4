import { render } from "preact";
import { App } from "./app";
import { followAddress } from "./state/route";
import { start } from "./state/session";
import { takeToken } from "./state/token";
import { followKeys } from "./ui/keys";

takeToken();
followAddress();
followKeys();
const root = document.getElementById("app");
if (root !== null) {
  root.replaceChildren();
  render(<App />, root);
}
void start();
