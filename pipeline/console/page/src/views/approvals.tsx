import { useState } from "preact/hooks";
import { get, post, Problem, sentence } from "../net/client";
import { acted, clock, now, ordersVersion, status } from "../state/session";
import { useReading } from "../state/reading";
import { to } from "../state/route";
import { token } from "../state/token";
import type { Order } from "../wire";
import { actionNoun } from "../words/names";
import { consequence, consequenceText } from "../words/response";
import { ageText } from "../words/time";
import { Confirm } from "../ui/confirm";
import { TokenForm } from "../ui/token";
import { Flows } from "./device/orders";

type Decision = "approve" | "reject";

/** What waits for a person: what would be cut, what stays up, and what happens if nobody answers. */
export function ApprovalsView() {
  const [done, setDone] = useState("");
  const { value: waiting, problem } = useReading("", ordersVersion.value, async (signal) => {
    return (await get<{ commands: Order[] }>("v1/commands?state=proposed&limit=500", signal)).commands;
  });
  const isRefused = problem instanceof Problem && problem.status === 401;

  return (
    <div class="page">
      <h1>Approvals</h1>
      {(token.value === "" || isRefused) && <TokenForm />}
      {problem !== null && <p role="alert">{sentence(problem)}</p>}
      <p role="status" class={done === "" ? "hidden" : "notice"}>
        {done}
      </p>
      {waiting === null && problem === null && <div class="skeleton" aria-label="Reading" />}
      {waiting?.length === 0 && <p class="quiet">{nothingWaits()}</p>}
      <ol class="waiting">
        {waiting?.map((order) => (
          <Waiting
            key={order.command.command_id}
            order={order}
            onDone={setDone}
          />
        ))}
      </ol>
    </div>
  );
}

function nothingWaits(): string {
  return status.value?.waiting_approvals === null
    ? "Decisions are not taken here: this run has nobody who carries them out."
    : "Nothing waits for a person.";
}

function Waiting({ order, onDone }: { order: Order; onDone: (text: string) => void }) {
  const [decision, setDecision] = useState<Decision | null>(null);
  const { command } = order;
  const meant = consequence(command.device_id, command.response, command.release);
  const heading = `order-${command.command_id}`;
  return (
    <li class="approval" aria-labelledby={heading} data-command={command.command_id}>
      <h2 id={heading}>
        {nounOf(order)} of <a href={to.verdict(command.verdict_id)}>{command.device_id}</a>
      </h2>
      <p class="quiet">
        Waits since {clock.value.day(command.issued)} ({clock.value.zone}), {ageText(command.issued, now.value)}
      </p>
      <p>{command.reason}</p>
      <dl class="facts">
        <div class="wide">
          <dt>What will be cut</dt>
          <dd>{meant.cut}</dd>
        </div>
        <div class="wide">
          <dt>What stays up</dt>
          <dd>{meant.stays === "" ? "Everything." : <Flows stays={meant.stays} flows={meant.flows} />}</dd>
        </div>
        <div class="wide">
          <dt>If nobody answers</dt>
          <dd>
            Nothing is done
            {command.response.expires !== null && `; the proposal lapses ${clock.value.day(command.response.expires)}`}.
          </dd>
        </div>
        {(order.note || command.response.note) !== "" && (
          <div class="wide">
            <dt>Why a person is asked</dt>
            <dd>{order.note || command.response.note}</dd>
          </div>
        )}
      </dl>
      {decision === null ? (
        <p class="buttons no-print">
          <button type="button" data-item data-approve onClick={() => setDecision("approve")}>
            Approve…
          </button>
          <button type="button" onClick={() => setDecision("reject")}>
            Reject…
          </button>
        </p>
      ) : (
        <Decide order={order} decision={decision} onCancel={() => setDecision(null)} onDone={onDone} />
      )}
    </li>
  );
}

interface DecideProps {
  order: Order;
  decision: Decision;
  onCancel: () => void;
  onDone: (text: string) => void;
}

function Decide({ order, decision, onCancel, onDone }: DecideProps) {
  const { command } = order;
  const { response, device_id: device, release } = command;
  const isApproval = decision === "approve";
  const text = isApproval
    ? consequenceText(device, response, release)
    : `Nothing will be cut: ${device} goes on as it is, and its verdict stays open.`;
  const yes = isApproval ? `Yes, ${release ? "release" : response.action} ${device}` : "Yes, reject it";
  return (
    <Confirm
      text={text}
      yes={yes}
      onCancel={onCancel}
      onYes={async ({ reason, key }) => {
        const path = `v1/commands/${encodeURIComponent(command.command_id)}/${decision}`;
        acted(await post<Order>(path, { reason }, key));
        onDone(`${isApproval ? "Approved" : "Rejected"}: ${nounOf(order)} of ${device}.`);
      }}
    >
      {response.mode === "monitor" && isApproval && (
        <p>The pipeline only watches here: the decision is recorded, and nothing is cut.</p>
      )}
    </Confirm>
  );
}

function nounOf({ command }: Order): string {
  return command.release ? "release" : actionNoun(command.response.action);
}
