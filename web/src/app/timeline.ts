/** The rows of a conversation: days, what was said, and what could not be verified, in order. */

import type { FaultSeen, Message, MessageKey } from '../client/events.ts';
import type { UserUri } from '../ids.ts';

export type Row =
  | { readonly kind: 'day'; readonly key: string; readonly atMs: number }
  | { readonly kind: 'new'; readonly key: string }
  /** `first`, `last`: of a run by one sender. */
  | { readonly kind: 'message'; readonly key: MessageKey; readonly message: Message; first: boolean; last: boolean }
  | {
      readonly kind: 'faults';
      readonly key: string;
      readonly check: string;
      readonly culprit: string;
      readonly count: number;
    };

/** A sender who says nothing for so long begins a new run. */
const RUN_MS = 5 * 60_000;

/**
 * `messages` as rows, oldest first, with the `faults` that were seen after the first of them.
 *
 * `firstNew`: the message before which "new" stands.
 */
export function timeline(
  messages: readonly Message[],
  faults: readonly FaultSeen[],
  firstNew: MessageKey | null,
  nowMs: number,
): Row[] {
  const rows: Row[] = [];
  const waiting = [...faults];
  const since = messages[0]?.acceptedAtMs ?? 0;
  while (waiting[0] !== undefined && waiting[0].atMs < since) waiting.shift();
  let day = '';
  for (const message of messages) {
    const atMs = message.acceptedAtMs ?? nowMs;
    while (waiting[0] !== undefined && waiting[0].atMs < atMs) addFault(rows, waiting.shift());
    const today = new Date(atMs).toDateString();
    if (today !== day) rows.push({ kind: 'day', key: `day ${today}`, atMs });
    day = today;
    if (message.messageId === firstNew) rows.push({ kind: 'new', key: 'new' });
    const previous = rows.at(-1);
    const first = previous?.kind !== 'message' || !isRun(previous.message, message, nowMs);
    if (!first) previous.last = false;
    rows.push({ kind: 'message', key: message.messageId, message, first, last: true });
  }
  for (const fault of waiting) addFault(rows, fault);
  return rows;
}

function isRun(before: Message, after: Message, nowMs: number): boolean {
  return before.sender === after.sender && (after.acceptedAtMs ?? nowMs) - (before.acceptedAtMs ?? nowMs) < RUN_MS;
}

/** Equal faults that follow one another are one row. */
function addFault(rows: Row[], fault: FaultSeen | undefined): void {
  if (fault === undefined) return;
  const { check, culprit, atMs } = fault;
  const last = rows.at(-1);
  if (last?.kind === 'faults' && last.check === check && last.culprit === culprit) {
    rows[rows.length - 1] = { ...last, count: last.count + 1 };
  } else
    rows.push({ kind: 'faults', key: `fault ${atMs} ${check} ${culprit} ${rows.length}`, check, culprit, count: 1 });
}

/** Whom a fault is laid at: a user, or null for the hub. */
export function culpritOf(culprit: string): UserUri | null {
  const [, , provider, , name] = culprit.split('/');
  return name === undefined ? null : (`mimi://${provider ?? ''}/u/${name}` as UserUri);
}

/**
 * `known`, ending with `tail`, the newest that the device has now; null if the two do not meet.
 *
 * Both are in the device's order: what waits in the outbox is last, so a queued message may change its place.
 */
export function withTail(known: readonly Message[], tail: readonly Message[]): Message[] | null {
  const [first] = tail;
  if (first === undefined) return [];
  const at = known.findIndex((message) => message.messageId === first.messageId);
  return at < 0 ? null : [...known.slice(0, at), ...tail];
}
