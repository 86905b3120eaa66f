/**
 * The names of things on the wire: `mimi:` URIs and the small numbers beside them.
 *
 * Source: draft-ietf-mimi-protocol-06, "Identifiers"; our narrower grammar is in `docs/protocol.md`, Identity.
 */

import type { Bytes } from './codec.ts';
import { type Check, RemoteProtocolError } from './errors.ts';

declare const brand: unique symbol;
type Brand<Value, Name extends string> = Value & { readonly [brand]: Name };

/** A host name, lower case, such as `courier.example`. */
export type ProviderName = Brand<string, 'ProviderName'>;
/** `mimi://{provider}/u/{name}`. */
export type UserUri = Brand<string, 'UserUri'>;
/** `mimi://{provider}/d/{name}/{device}`. */
export type DeviceUri = Brand<string, 'DeviceUri'>;
/** `mimi://{provider}/r/{room}`; its UTF-8 bytes are the MLS `group_id`. */
export type RoomUri = Brand<string, 'RoomUri'>;
/** `mimi://{host}`: the server that orders and franks a room's messages. */
export type HubUri = Brand<string, 'HubUri'>;
/** 16 bytes chosen by the sending device, shaped as a version 7 UUID so that they sort by time. */
export type SubmissionId = Brand<Bytes, 'SubmissionId'>;
/** 32 bytes: 0x01 and the first 31 of a SHA-256 (`messageId` in `content.ts`). */
export type MessageId = Brand<Bytes, 'MessageId'>;
/** A message id in hexadecimal, 64 digits. */
export type MessageKey = string;
/** 32 hexadecimal digits, 128 random bits chosen by the hub: who knows it may fetch the blob. */
export type BlobId = Brand<string, 'BlobId'>;
/** Position in a room's log, from 1. */
export type Seq = Brand<number, 'Seq'>;
/** Unix milliseconds. */
export type TimestampMs = Brand<number, 'TimestampMs'>;

export const SUBMISSION_ID_BYTES = 16;
/** Of what makes each message's content unlike any other. Here, so that a page need not load what reads content. */
export const SALT_BYTES = 16;
export const MAX_URI_BYTES = 255;

const PROVIDER = '(?<provider>[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*)';
const NAME = '(?<name>[a-z0-9](?:[a-z0-9._-]{0,30}[a-z0-9])?)';
const USER = new RegExp(`^mimi://${PROVIDER}/u/${NAME}$`);
const DEVICE = new RegExp(`^mimi://${PROVIDER}/d/${NAME}/(?<device>[a-z0-9]{1,32})$`);
const ROOM = new RegExp(`^mimi://${PROVIDER}/r/(?<room>[a-z0-9_-]{1,64})$`);
const HUB = new RegExp(`^mimi://${PROVIDER}$`);
const BLOB = /^[0-9a-f]{32}$/;

function match(pattern: RegExp, text: string, check: Check, kind: string): Record<string, string> {
  const groups = text.length <= MAX_URI_BYTES ? pattern.exec(text)?.groups : undefined;
  if (groups === undefined) throw new RemoteProtocolError(check, `not a ${kind} URI`);
  return groups;
}

/** `text` is a user URI within our grammar. Throws `RemoteProtocolError` NL-001. */
export function parseUserUri(text: string): UserUri {
  match(USER, text, 'NL-001', 'user');
  return text as UserUri;
}

/** `text` is a device URI within our grammar. Throws `RemoteProtocolError` NL-002. */
export function parseDeviceUri(text: string): DeviceUri {
  match(DEVICE, text, 'NL-002', 'device');
  return text as DeviceUri;
}

/** `text` is a room URI within our grammar. Throws `RemoteProtocolError` NL-003. */
export function parseRoomUri(text: string): RoomUri {
  match(ROOM, text, 'NL-003', 'room');
  return text as RoomUri;
}

/** `text` is a hub URI within our grammar. Throws `RemoteProtocolError` NL-004. */
export function parseHubUri(text: string): HubUri {
  match(HUB, text, 'NL-004', 'hub');
  return text as HubUri;
}

/** `text` is a blob's id. Throws `RemoteProtocolError` NL-005. */
export function parseBlobId(text: string): BlobId {
  if (!BLOB.test(text)) throw new RemoteProtocolError('NL-005', "not a blob's id");
  return text as BlobId;
}

/** The URI of `name` (a handle) at `provider`. Throws `RemoteProtocolError` NL-001. */
export function userUri(provider: ProviderName, name: string): UserUri {
  return parseUserUri(`mimi://${provider}/u/${name}`);
}

/** The URI of `user`'s device named `device`. Throws `RemoteProtocolError` NL-001, NL-002. */
export function deviceUri(user: UserUri, device: string): DeviceUri {
  const { provider, name } = match(USER, user, 'NL-001', 'user');
  return parseDeviceUri(`mimi://${provider ?? ''}/d/${name ?? ''}/${device}`);
}

/** The URI of `room` at `provider`. Throws `RemoteProtocolError` NL-003. */
export function roomUri(provider: ProviderName, room: string): RoomUri {
  return parseRoomUri(`mimi://${provider}/r/${room}`);
}

/** The user whose device this is. Throws `RemoteProtocolError` NL-002. */
export function userOf(device: DeviceUri): UserUri {
  const { provider, name } = match(DEVICE, device, 'NL-002', 'device');
  return `mimi://${provider ?? ''}/u/${name ?? ''}` as UserUri;
}

/** The provider in any of the three URIs. */
export function providerOf(uri: UserUri | DeviceUri | RoomUri): ProviderName {
  return uri.split('/', 3)[2] as ProviderName;
}

/** The name part of a user URI. */
export function handleOf(user: UserUri): string {
  return user.slice(user.lastIndexOf('/') + 1);
}
