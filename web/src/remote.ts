/** What tabs and the worker say to each other: calls of `Api`, answers, events. */

import type { Event } from './client/events.ts';
import { StoreError, type StoreFault } from './client/errors.ts';
import {
  type Check,
  LocalProtocolError,
  type ProblemName,
  RefusedError,
  RemoteProtocolError,
  UnavailableError,
  VerificationError,
} from './errors.ts';

/** The lock that a worker holds as long as it runs. */
export const WORKER_LOCK = 'nightlight worker';

/** `from`: the tab that asks. `id`: among its calls. */
export interface CallMessage {
  readonly kind: 'call';
  readonly from: string;
  readonly id: number;
  readonly method: string;
  readonly args: readonly unknown[];
}

export interface AnswerMessage {
  readonly kind: 'answer';
  readonly to: string;
  readonly id: number;
  readonly outcome: Outcome;
}

export interface EventsMessage {
  readonly kind: 'events';
  readonly events: readonly Event[];
}

/** The worker runs, and the one before it does not. */
export interface ReadyMessage {
  readonly kind: 'ready';
}

/** A tab has begun to lead: what is not answered is asked again. */
export interface LeadingMessage {
  readonly kind: 'leading';
}

export type Outcome = { readonly value: unknown } | { readonly error: PlainError };

/** An error that can be sent: of the classes that `Api` names, anything else as a bug. */
export interface PlainError {
  readonly name: string;
  readonly message: string;
  readonly check?: Check;
  readonly reason?: string;
  readonly problem?: ProblemName;
  readonly epoch?: number | null;
  readonly retryAfterS?: number;
  readonly fault?: StoreFault;
}

/** `error`, to be sent. */
export function plain(error: unknown): PlainError {
  if (error instanceof RefusedError) {
    return { name: error.name, message: error.message, problem: error.problem, epoch: error.epoch };
  }
  if (error instanceof RemoteProtocolError || error instanceof VerificationError) {
    return { name: error.name, message: error.message, check: error.check, reason: error.reason };
  }
  if (error instanceof UnavailableError) {
    return { name: error.name, message: error.message, retryAfterS: error.retryAfterS };
  }
  if (error instanceof StoreError) return { name: error.name, message: error.message, fault: error.fault };
  if (error instanceof Error) return { name: error.name, message: error.message };
  return { name: 'Error', message: 'something that is no error was thrown' };
}

/** The error that was sent. */
export function revive(error: PlainError): Error {
  const { name, message, check, reason = '', problem = 'internal', epoch = null, retryAfterS = 1, fault } = error;
  switch (name) {
    case 'RefusedError':
      return new RefusedError(problem, epoch);
    case 'UnavailableError':
      return new UnavailableError(message, retryAfterS);
    case 'StoreError':
      return new StoreError(fault ?? 'refused', message);
    case 'RemoteProtocolError':
      if (check !== undefined) return new RemoteProtocolError(check, reason);
      break;
    case 'VerificationError':
      if (check !== undefined) return new VerificationError(check, reason);
  }
  return new LocalProtocolError(`${name}: ${message}`);
}
