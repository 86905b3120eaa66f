/** What code raises on purpose, and the problems that a hub answers with (RFC 9457). Same words as `nightlight/errors.py`. */

/** A check's number on the protocol page, such as `NL-104`. */
export type Check = `NL-${number}`;

/** We broke a rule ourselves: a bug. */
export class LocalProtocolError extends Error {
  override readonly name = 'LocalProtocolError';
}

/** The other side sent something that the protocol page forbids. `reason` never quotes the input. */
export class RemoteProtocolError extends Error {
  override readonly name = 'RemoteProtocolError';
  readonly check: Check;
  readonly reason: string;

  constructor(check: Check, reason: string) {
    super(`${check}: ${reason}`);
    this.check = check;
    this.reason = reason;
  }
}

/** A signature, frank or proof does not hold. `reason` never quotes the input. */
export class VerificationError extends Error {
  override readonly name = 'VerificationError';
  readonly check: Check;
  readonly reason: string;

  constructor(check: Check, reason: string) {
    super(`${check}: ${reason}`);
    this.check = check;
    this.reason = reason;
  }
}

/** The last path segment of a problem's `type`; also the name on the WebSocket. */
export const PROBLEM_NAMES = [
  'malformed',
  'unauthenticated',
  'not_allowed',
  'not_found',
  'handle_taken',
  'conflict',
  'wrong_epoch',
  'stale_device_list',
  'too_soon',
  'device_removed',
  'new_person',
  'removal_owed',
  'invalid_commit',
  'invalid_key_package',
  'no_key_package',
  'invalid_blob',
  'quota_exceeded',
  'range_not_satisfiable',
  'room_full',
  'too_large',
  'too_many',
  'method_not_allowed',
  'unavailable',
  'internal',
] as const;
export type ProblemName = (typeof PROBLEM_NAMES)[number];

/** Well-formed, and not allowed. `epoch` goes with `wrong_epoch`: the room's current MLS epoch. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly problem: ProblemName;
  readonly epoch: number | null;

  constructor(problem: ProblemName, epoch: number | null = null) {
    super(problem);
    this.problem = problem;
    this.epoch = epoch;
  }
}

/** No answer now; try again after `retryAfterS` seconds. */
export class UnavailableError extends Error {
  override readonly name = 'UnavailableError';
  readonly retryAfterS: number;

  constructor(reason: string, retryAfterS = 1) {
    super(reason);
    this.retryAfterS = retryAfterS;
  }
}
