import { useRef, useState } from "preact/hooks";
import type { Profile } from "../../wire";

/** All of a profile as a file that reads back as the same one, to take along. */
export function Source({ profile }: { profile: Profile }) {
  const text = useRef<HTMLPreElement>(null);
  const [copied, setCopied] = useState("");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(profile.yaml);
      setCopied("Copied.");
    } catch {
      // Browsers give the clipboard only to pages that came over TLS or from this machine.
      if (text.current !== null) getSelection()?.selectAllChildren(text.current);
      setCopied("The browser does not let the page copy; all of it is selected.");
    }
  };
  return (
    <section class="source no-print">
      <h2>As a file</h2>
      <details>
        <summary data-item>YAML, with what it extends written out</summary>
        <p class="buttons">
          <button type="button" onClick={() => void copy()}>
            Copy
          </button>
          <span role="status">{copied}</span>
        </p>
        <pre ref={text} tabIndex={0} aria-label="The profile as YAML">
          {profile.yaml}
        </pre>
      </details>
    </section>
  );
}
