import { useState } from "preact/hooks";
import { post } from "../../net/client";
import { acted, plant, status } from "../../state/session";
import { token } from "../../state/token";
import type { Order } from "../../wire";
import { Confirm, type Said } from "../../ui/confirm";
import { TokenForm } from "../../ui/token";
import { isInForce } from "../../words/names";
import { actConsequence, type ByHand } from "../../words/response";

interface Props {
  device: string;
  orders: readonly Order[];
}

/** What an act changes beside orders. */
interface Suppressed {
  suppressed_until: string;
}

const WAYS: Record<ByHand, { name: string; yes: (device: string) => string; hours?: number }> = {
  quarantine: { name: "Quarantine…", yes: (device) => `Yes, quarantine ${device}`, hours: 24 },
  release: { name: "Release…", yes: (device) => `Yes, release ${device}` },
  suppress: { name: "Hold back…", yes: (device) => `Yes, hold back commands about ${device}`, hours: 1 },
};

/** What a person does about a device without being asked. */
export function Acts({ device, orders }: Props) {
  const [way, setWay] = useState<ByHand | null>(null);
  const [done, setDone] = useState("");
  // Nobody is there who would carry it out.
  if (status.value !== null && status.value.waiting_approvals === null) return null;
  const isCut = orders.some((order) => isInForce(order.state));
  const ways = (Object.keys(WAYS) as ByHand[]).filter((name) => name !== "release" || isCut);
  return (
    <section class="acts no-print" aria-labelledby="acts-heading">
      <h2 id="acts-heading">By hand</h2>
      <p role="status" class={done === "" ? "hidden" : "notice"}>
        {done}
      </p>
      {way === null ? (
        <p class="buttons">
          {ways.map((name) => (
            <button key={name} type="button" onClick={() => setWay(name)}>
              {WAYS[name].name}
            </button>
          ))}
        </p>
      ) : (
        <>
          <Confirm
            key={way}
            text={actConsequence(way, device)}
            yes={WAYS[way].yes(device)}
            {...(WAYS[way].hours === undefined ? {} : { hours: WAYS[way].hours })}
            onCancel={() => setWay(null)}
            onYes={async (said) => {
              setDone(await perform(way, device, said));
              setWay(null);
            }}
          >
            {(status.value?.mode ?? plant.value?.mode) === "monitor" && way !== "suppress" && (
              <p>The pipeline only watches here: the decision is recorded, and nothing is cut.</p>
            )}
          </Confirm>
          {token.value === "" && <TokenForm />}
        </>
      )}
    </section>
  );
}

async function perform(way: ByHand, device: string, { reason, hours, key }: Said): Promise<string> {
  const path = `v1/devices/${encodeURIComponent(device)}/${way}`;
  const body = hours === null ? { reason } : { reason, hours };
  const came = await post<Order | Suppressed>(path, body, key);
  if ("suppressed_until" in came) {
    return "Held back.";
  }
  acted(came);
  return way === "release" ? "Released." : "Quarantine ordered.";
}
