/** What went wrong, in words for a person. */

import { StoreError } from '../client/errors.ts';
import {
  type Check,
  type ProblemName,
  RefusedError,
  RemoteProtocolError,
  UnavailableError,
  VerificationError,
} from '../errors.ts';
import { say, type Words } from './words.ts';

const PROBLEMS: Partial<Record<ProblemName, Words>> = {
  conflict: 'error.conflict',
  handle_taken: 'error.handle_taken',
  no_key_package: 'error.no_key_package',
  invalid_key_package: 'error.no_key_package',
  not_allowed: 'error.not_allowed',
  not_found: 'error.not_found',
  room_full: 'error.room_full',
  too_large: 'error.too_large',
  too_many: 'error.too_many',
  unauthenticated: 'error.unauthenticated',
};

const CHECKS: Partial<Record<Check, Words>> = {
  'NL-341': 'error.contact_code.wrong',
  'NL-533': 'error.contact_code',
};

export function explainProblem(problem: ProblemName): string {
  return say(PROBLEMS[problem] ?? 'error.other');
}

export function explain(error: unknown): string {
  if (error instanceof RefusedError) return explainProblem(error.problem);
  if (error instanceof UnavailableError) return say('error.unavailable');
  if (error instanceof StoreError) return say('error.store', { reason: error.message });
  if (error instanceof RemoteProtocolError || error instanceof VerificationError) {
    const words = CHECKS[error.check];
    return words ? say(words) : say('error.unverified', { check: error.check });
  }
  return say('error.other');
}
