/**
 * Asks the server that this page came from, over HTTP.
 *
 * Source: `docs/protocol.md`, HTTP.
 */

import { type Directory, type Problem, readDirectory, readJson, readProblem } from './bodies.ts';
import type { Bytes } from './codec.ts';
import { RefusedError, RemoteProtocolError, UnavailableError } from './errors.ts';

const PARTIAL = 206;
const SERVER_ERROR = 500;

export interface Call<Answer> {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly token?: string;
  /** A JSON object, in which bytes are base64; or bytes as they are. */
  readonly body?: Readonly<Record<string, unknown>> | Bytes;
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
  const isRaw = body instanceof Uint8Array;
  if (body !== undefined) headers.set('content-type', isRaw ? 'application/octet-stream' : 'application/json');
  const content = isRaw ? body : JSON.stringify(body ?? null);
  const response = await request(path, { method, headers, body: body === undefined ? null : content });
  const data = await bytes(response);
  if (response.ok) return read(readJson(data));
  throw failure(data, response);
}

/**
 * The bytes from `first` to `last`, both included, of what lies at `path`; fewer where there is no more.
 *
 * Throws as `ask`.
 */
export async function askRange(path: string, first: number, last: number, token: string): Promise<Bytes> {
  const headers = new Headers({ authorization: `Bearer ${token}`, range: `bytes=${first}-${last}` });
  const response = await request(path, { headers });
  const data = await bytes(response);
  if (!response.ok) throw failure(data, response);
  if (response.status !== PARTIAL || data.length > last + 1 - first) {
    throw new RemoteProtocolError('NL-541', 'another range than was asked for');
  }
  return data;
}

function request(path: string, options: RequestInit): Promise<Response> {
  return within(() => fetch(path, { ...options, cache: 'no-store', credentials: 'omit', redirect: 'error' }));
}

async function within<Value>(work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch {
    throw new UnavailableError('the server cannot be reached');
  }
}

async function bytes(response: Response): Promise<Bytes> {
  return new Uint8Array(await within(() => response.arrayBuffer()));
}

/** Throws `RemoteProtocolError` NL-541 where `data` is no problem, unless a proxy speaks for a server in trouble. */
function failure(data: Bytes, response: Response): Error {
  let problem: Problem;
  try {
    problem = readProblem(readJson(data));
  } catch (error) {
    if (response.status < SERVER_ERROR) throw error;
    return new UnavailableError('the server does not answer as it should', 1);
  }
  const { name, epoch } = problem;
  const retryAfter = response.headers.get('retry-after');
  if (retryAfter === null && response.status < SERVER_ERROR) return new RefusedError(name, epoch);
  return new UnavailableError('the server cannot answer now', Number(retryAfter) || 1);
}

/** What clients pin of this hub. */
export function fetchDirectory(): Promise<Directory> {
  return ask('/v1/directory', { read: readDirectory });
}
