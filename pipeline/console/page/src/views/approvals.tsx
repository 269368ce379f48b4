import { useEffect, useRef, useState } from "preact/hooks";
import { get, post, Problem, sentence } from "../net/client";
import { clock, now, ordersVersion, status } from "../state/session";
import { to } from "../state/route";
import { keep, token } from "../state/token";
import type { Order } from "../wire";
import { actionNoun } from "../words/names";
import { consequence, consequenceText } from "../words/response";
import { ageText } from "../words/time";
import { Flows } from "./device/orders";

type Decision = "approve" | "reject";

/** What waits for a person: what would be cut, what stays up, and what happens if nobody answers. */
export function ApprovalsView() {
  const [waiting, setWaiting] = useState<Order[] | null>(null);
  const [problem, setProblem] = useState("");
  const [isRefused, setRefused] = useState(false);
  const [done, setDone] = useState("");
  const [reads, setReads] = useState(0);
  useEffect(() => {
    const abort = new AbortController();
    get<{ commands: Order[] }>("v1/commands?state=proposed&limit=500", abort.signal)
      .then(({ commands }) => {
        setWaiting(commands);
        setProblem("");
        setRefused(false);
      })
      .catch((error: unknown) => {
        if (abort.signal.aborted) return;
        setRefused(error instanceof Problem && error.status === 401);
        const isAbsent = error instanceof Problem && error.status === 404;
        if (isAbsent) setWaiting([]);
        else setProblem(sentence(error));
      });
    return () => abort.abort();
  }, [ordersVersion.value, reads]);

  return (
    <div class="page">
      <h1>Approvals</h1>
      {(token.value === "" || isRefused) && <TokenForm />}
      {problem !== "" && <p role="alert">{problem}</p>}
      <p role="status" class={done === "" ? "hidden" : "notice"}>
        {done}
      </p>
      {waiting === null && problem === "" && <div class="skeleton" aria-label="Reading" />}
      {waiting?.length === 0 && <p class="quiet">{nothingWaits()}</p>}
      <ol class="waiting">
        {waiting?.map((order) => (
          <Waiting
            key={order.command.command_id}
            order={order}
            onDone={(text) => {
              setDone(text);
              setReads((count) => count + 1);
            }}
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
  const noun = command.release ? "release" : actionNoun(command.response.action);
  const heading = `order-${command.command_id}`;
  return (
    <li class="approval" aria-labelledby={heading} data-command={command.command_id}>
      <h2 id={heading}>
        {noun} of <a href={to.verdict(command.verdict_id)}>{command.device_id}</a>
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
        <Confirm order={order} decision={decision} onCancel={() => setDecision(null)} onDone={onDone} />
      )}
    </li>
  );
}

interface ConfirmProps {
  order: Order;
  decision: Decision;
  onCancel: () => void;
  onDone: (text: string) => void;
}

/** The second step: says what will happen, asks for a reason, and only then sends. */
function Confirm({ order, decision, onCancel, onDone }: ConfirmProps) {
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState("");
  const [isSending, setIsSending] = useState(false);
  const field = useRef<HTMLTextAreaElement>(null);
  // One key for one decision: sent twice, it is done once.
  const key = useRef(crypto.randomUUID());
  useEffect(() => field.current?.focus(), []);
  const { command } = order;
  const isApproval = decision === "approve";
  const text = isApproval
    ? consequenceText(command.device_id, command.response, command.release)
    : `Nothing will be cut: ${command.device_id} goes on as it is, and its verdict stays open.`;

  const send = async (event: Event) => {
    event.preventDefault();
    if (reason.trim() === "" || isSending) return;
    setIsSending(true);
    try {
      const path = `v1/commands/${encodeURIComponent(command.command_id)}/${decision}`;
      await post<Order>(path, { reason: reason.trim() }, key.current);
      onDone(`${isApproval ? "Approved" : "Rejected"}: ${actionNoun(command.response.action)} of ${command.device_id}.`);
    } catch (error) {
      setProblem(sentence(error));
      setIsSending(false);
    }
  };
  return (
    <form class="confirm" onSubmit={(event) => void send(event)} onKeyDown={(event) => event.key === "Escape" && onCancel()}>
      <p>
        <strong>{text}</strong>
      </p>
      {command.response.mode === "monitor" && isApproval && (
        <p>The pipeline only watches here: the decision is recorded, and nothing is cut.</p>
      )}
      <label>
        Reason, for the audit trail
        <textarea
          ref={field}
          value={reason}
          maxLength={500}
          required
          rows={2}
          onInput={(event) => setReason(event.currentTarget.value)}
        />
      </label>
      {problem !== "" && <p role="alert">{problem}</p>}
      <p class="buttons">
        <button type="submit" class="do" disabled={reason.trim() === "" || isSending || token.value === ""}>
          {isApproval ? `Yes, ${command.release ? "release" : command.response.action} ${command.device_id}` : "Yes, reject it"}
        </button>
        <button type="button" onClick={onCancel}>
          Back
        </button>
      </p>
      {token.value === "" && <p class="quiet">A token is needed first: see above.</p>}
    </form>
  );
}

function TokenForm() {
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
