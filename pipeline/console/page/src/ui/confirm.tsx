import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { sentence } from "../net/client";
import { token } from "../state/token";

/** Most hours that a person may decide for, as the server allows: a week. */
const HOURS_MAX = 168;

/** What a person said in the second step, and the one key of it: sent twice, it is done once. */
export interface Said {
  reason: string;
  hours: number | null;
  key: string;
}

interface Props {
  /** What will happen, in words. */
  text: string;
  /** The button that does it. */
  yes: string;
  /** For how long, if that is asked. */
  hours?: number;
  onCancel: () => void;
  /** Does it; what it throws is shown. */
  onYes: (said: Said) => Promise<void>;
  children?: ComponentChildren;
}

/** The second step of a decision: says what will happen, asks for a reason, and only then sends. */
export function Confirm({ text, yes, hours, onCancel, onYes, children }: Props) {
  const [reason, setReason] = useState("");
  const [span, setSpan] = useState(String(hours ?? ""));
  const [problem, setProblem] = useState("");
  const [isSending, setIsSending] = useState(false);
  const field = useRef<HTMLTextAreaElement>(null);
  const key = useRef(crypto.randomUUID());
  useEffect(() => field.current?.focus(), []);
  const told = hours === undefined ? null : Number(span);
  const isSpan = told === null || (Number.isInteger(told) && told >= 1 && told <= HOURS_MAX);
  const isReady = reason.trim() !== "" && isSpan && !isSending && token.value !== "";

  const send = async (event: Event) => {
    event.preventDefault();
    if (!isReady) return;
    setIsSending(true);
    setProblem("");
    try {
      await onYes({ reason: reason.trim(), hours: told, key: key.current });
    } catch (error) {
      setProblem(sentence(error));
      setIsSending(false);
    }
  };
  const leave = (event: KeyboardEvent) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    onCancel();
  };
  return (
    <form class="confirm" onSubmit={(event) => void send(event)} onKeyDown={leave}>
      <p>
        <strong>{text}</strong>
      </p>
      {children}
      {hours !== undefined && (
        <label class="hours">
          Hours
          <input
            type="number"
            min={1}
            max={HOURS_MAX}
            required
            value={span}
            onInput={(event) => setSpan(event.currentTarget.value)}
          />
        </label>
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
        <button type="submit" class="do" disabled={!isReady}>
          {yes}
        </button>
        <button type="button" onClick={onCancel}>
          Back
        </button>
      </p>
      {token.value === "" && <p class="quiet">A token is needed first.</p>}
    </form>
  );
}
