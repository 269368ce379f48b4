import { clock } from "../../state/session";
import type { Device, FirmwareVersion, KnownVulnerability } from "../../wire";
import { plural } from "../../words/names";

/** The others are there when asked for. */
const SHOWN = 5;

/** What advisories say of the firmware of a device; nothing where none were given. It is context: no
 * verdict and no risk rests on it. */
export function Known({ device }: { device: Device }) {
  const { advised, advisories, firmware } = device;
  if (advised === null) return null;
  const all = advised.affected + advised.cannot_tell;
  return (
    <section>
      <h2>Known vulnerabilities of its firmware</h2>
      <p class="quiet">
        {makeText(device)}, {firmwareText(firmware)}. {countText(device)}
      </p>
      <List known={advisories.slice(0, SHOWN)} />
      {advisories.length > SHOWN && (
        <details>
          <summary>{advisories.length - SHOWN} more, the worst first</summary>
          <List known={advisories.slice(SHOWN)} />
          {all > advisories.length && <p class="quiet">Only the worst {advisories.length} of {all} are told.</p>}
        </details>
      )}
    </section>
  );
}

function List({ known }: { known: readonly KnownVulnerability[] }) {
  if (known.length === 0) return null;
  return (
    <ol class="findings">
      {known.map((one) => (
        <Item key={one.cve} known={one} />
      ))}
    </ol>
  );
}

function Item({ known }: { known: KnownVulnerability }) {
  const score = known.cvss === null ? "no score" : `CVSS ${known.cvss.toFixed(1)} of 10`;
  const isLink = known.url !== null && /^https?:\/\//.test(known.url);
  return (
    <li class={known.verdict === "affected" ? "finding" : "finding over"}>
      <h3>
        {isLink ? (
          <a href={known.url ?? ""} rel="noreferrer noopener" target="_blank">
            {known.cve}
          </a>
        ) : (
          <span>{known.cve}</span>
        )}
        <small>
          {known.severity === "unknown" ? score : `${known.severity}, ${score}`}
        </small>
        {known.verdict === "cannot_tell" && <small>cannot be told</small>}
      </h3>
      <p>{known.title}</p>
      <p class="quiet">
        {known.reason} {known.fixed_in !== null && `Fixed in ${known.fixed_in}. `}
        {known.remedy} ({known.advisories.join(", ")})
      </p>
    </li>
  );
}

function makeText({ vendor, model }: Device): string {
  if (vendor === null && model === null) return "Vendor and model are not in the inventory";
  return [vendor, model].filter((part) => part !== null).join(" ");
}

function firmwareText(firmware: FirmwareVersion | null): string {
  if (firmware === null) return "firmware not known";
  const from = firmware.at === null ? "by the inventory" : `attested ${clock.value.day(firmware.at)}`;
  return `firmware ${firmware.version} (${from})`;
}

function countText({ advised, vendor, model }: Device): string {
  if (advised === null || vendor === null || model === null) return "Nothing can be said.";
  const verb = advised.affected === 1 ? "affects" : "affect";
  const affected = `${plural(advised.affected, "vulnerability", "vulnerabilities")} ${verb} it`;
  return advised.cannot_tell === 0 ? `${affected}.` : `${affected}; of ${advised.cannot_tell} it cannot be told.`;
}
