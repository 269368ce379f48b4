import { clock, now } from "../../state/session";
import { to } from "../../state/route";
import type { OrderHistory, Response } from "../../wire";
import { consequence, orderText } from "../../words/response";
import { actionDone, actionNoun, isOver, orderState } from "../../words/names";
import { ageText, isAhead } from "../../words/time";

const OVER_SHOWN = 5;

interface Props {
  orders: readonly OrderHistory[];
  response: Response | null;
  heldUntil: string | null;
}

/** What is being done: the orders and their state, else what the verdict asks for. */
export function Orders({ orders, response, heldUntil }: Props) {
  return (
    <section>
      <h2>What is being done</h2>
      <HeldBack until={heldUntil} />
      {orders.length === 0 ? <Asked response={response} /> : null}
      <ol class="orders">
        {worthShowing(orders).map((order) => (
          <OrderItem key={order.command.command_id} order={order} />
        ))}
      </ol>
    </section>
  );
}

/** That commands are held back, while they are: when the plant's clock has passed it, it is over. */
function HeldBack({ until }: { until: string | null }) {
  if (!isAhead(until, now.value)) return null;
  const age = ageText(until, now.value);
  const left = age.startsWith("in ") ? age : "";
  return (
    <p class="notice held">
      Commands about it are held back until{" "}
      <time dateTime={until ?? undefined} title={clock.value.full(until)}>
        {clock.value.day(until)}
      </time>{" "}
      ({clock.value.zone}){left === "" ? "" : `, ${left}`}. Only a rule of grade CRITICAL is followed before.
    </p>
  );
}

/** What is not over, and the newest of what is. */
function worthShowing(orders: readonly OrderHistory[]): OrderHistory[] {
  let over = 0;
  return orders.filter((order) => !isOver(order.state) || (over += 1) <= OVER_SHOWN);
}

function OrderItem({ order }: { order: OrderHistory }) {
  const { command } = order;
  const meant = consequence(command.device_id, command.response, command.release);
  return (
    <li>
      <p>
        <strong>{orderText(order)}</strong>{" "}
        <span class="quiet">
          {clock.value.day(order.updated)}
          {order.by !== null && `, by ${order.by}`}
        </span>
      </p>
      {!isOver(order.state) && (
        <>
          <p>{meant.cut}</p>
          <Flows stays={meant.stays} flows={meant.flows} />
        </>
      )}
      {order.note !== "" && order.note !== order.history.at(-1)?.reason && <p class="quiet">{order.note}</p>}
      <Life order={order} />
      {order.state === "proposed" && <a href={to.approvals}>Decide under Approvals</a>}
    </li>
  );
}

/** Every step of a command: when, what it was from then on, by whom, and why. */
function Life({ order }: { order: OrderHistory }) {
  if (order.history.length === 0) return null;
  return (
    <ol class="life" aria-label="Its steps">
      {order.history.map(({ at, state, by, reason }, index) => (
        <li key={index}>
          <time dateTime={at} title={clock.value.full(at)}>
            {clock.value.day(at)}
          </time>
          <span>
            {state === "issued" && order.command.response.mode === "monitor" ? "said" : orderState(state)}
            {by !== null && ` by ${by}`}
            {reason !== "" && <span class="quiet">: {reason}</span>}
          </span>
        </li>
      ))}
    </ol>
  );
}

function Asked({ response }: { response: Response | null }) {
  if (response === null) return <p class="quiet">Nothing: nothing is open.</p>;
  const meant = consequence("The device", response, false);
  const isMonitor = response.mode === "monitor";
  return (
    <div>
      <p>
        {isMonitor ? "Nothing yet: the pipeline only watches. It would be " : ""}
        <strong>{isMonitor ? actionDone(response.action) : `The verdict asks for: ${actionNoun(response.action)}`}</strong>
        {response.approval === "required" && ", once a person has agreed"}.
      </p>
      <p>{meant.cut}</p>
      <Flows stays={meant.stays} flows={meant.flows} />
      {response.note !== "" && <p class="quiet">{response.note}</p>}
    </div>
  );
}

export function Flows({ stays, flows }: { stays: string; flows: readonly string[] }) {
  if (stays === "") return null;
  return (
    <>
      <p class="stays">{stays}</p>
      <ul class="flows">
        {flows.map((flow) => (
          <li key={flow}>{flow}</li>
        ))}
      </ul>
    </>
  );
}
