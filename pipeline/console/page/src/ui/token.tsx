import { useState } from "preact/hooks";
import { keep } from "../state/token";

/** Asks for what a person decides with. */
export function TokenForm() {
  const [given, setGiven] = useState("");
  return (
    <form
      class="token no-print"
      onSubmit={(event) => {
        event.preventDefault();
        if (given.trim() !== "") keep(given.trim());
      }}
    >
      <p>
        To decide anything, the page needs a token. It comes with the address that <code>andon</code> prints at its
        start, or stands in <code>operator.token</code> in the data folder. It is kept in this tab only.
      </p>
      <label>
        Token
        <input
          type="password"
          autocomplete="off"
          value={given}
          onInput={(event) => setGiven(event.currentTarget.value)}
        />
      </label>{" "}
      <button type="submit">Use it</button>
    </form>
  );
}
