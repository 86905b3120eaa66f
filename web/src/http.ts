/**
 * Asks the server that this page came from, over HTTP.
 *
 * Source: `docs/protocol.md`, HTTP.
 */

import { type Directory, type Problem, readDirectory, readProblem } from './bodies.ts';
import { RefusedError, RemoteProtocolError, UnavailableError } from './errors.ts';

const SERVER_ERROR = 500;

export interface Call<Answer> {
  readonly method?: 'GET' | 'POST' | 'PUT';
  readonly token?: string;
  /** A JSON object, in which bytes are base64. */
  readonly body?: Readonly<Record<string, unknown>>;
  /** One of `bodies.ts`; null where nothing is answered. */
  readonly read: (value: unknown) => Answer;
}

/**
 * What the server answers at `path`.
 *
 * Throws `RefusedError` with its problem; `UnavailableError` if it cannot be reached, is in trouble or says when to ask
 * again; `RemoteProtocolError` NL-541 for an answer that is not of this interface.
 */
export async function ask<Answer>(path: string, { method = 'GET', token, body, read }: Call<Answer>): Promise<Answer> {
  const headers = new Headers();
  if (token !== undefined) headers.set('authorization', `Bearer ${token}`);
  if (body !== undefined) headers.set('content-type', 'application/json');
  const request = { method, headers, body: body === undefined ? null : JSON.stringify(body) };
  let response: Response;
  try {
    response = await fetch(path, { ...request, cache: 'no-store', credentials: 'omit', redirect: 'error' });
  } catch {
    throw new UnavailableError('the server cannot be reached');
  }
  const answer = await json(response);
  if (response.ok) return read(answer);
  throw failure(readProblem(answer), response);
}

async function json(response: Response): Promise<unknown> {
  const text = await response.text();
  try {
    return text === '' ? null : JSON.parse(text);
  } catch {
    throw new RemoteProtocolError('NL-541', 'an answer that is not JSON');
  }
}

function failure({ name, epoch }: Problem, response: Response): Error {
  const retryAfter = response.headers.get('retry-after');
  if (retryAfter === null && response.status < SERVER_ERROR) return new RefusedError(name, epoch);
  return new UnavailableError('the server cannot answer now', Number(retryAfter) || 1);
}

/** What clients pin of this hub. */
export function fetchDirectory(): Promise<Directory> {
  return ask('/v1/directory', { read: readDirectory });
}
