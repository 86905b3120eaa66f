/**
 * Answers what our decoders make of bytes, so that somebody can compare it with what other decoders make of them.
 *
 * The first line of standard input is the `Setting`, as JSON; each further one is a decoder's name and bytes in
 * hexadecimal. Each of those gets one line of JSON: `{"accepted": value}` or `{"refused": check}`.
 */

import { createInterface } from 'node:readline';

import { readAttachments } from '../src/attachment.ts';
import * as bodies from '../src/bodies.ts';
import * as cbor from '../src/cbor.ts';
import { readPrivateMessage, type Bytes } from '../src/codec.ts';
import { decodeContactCode } from '../src/contact-code.ts';
import * as content from '../src/content.ts';
import { decodeLeafCredential, decodeSignedDeviceList, verifyDeviceList, verifyLeaf } from '../src/credential.ts';
import { RemoteProtocolError, VerificationError } from '../src/errors.ts';
import * as franking from '../src/franking.ts';
import { readServerFrame } from '../src/frames.ts';
import * as ids from '../src/ids.ts';
import { decodeLinkPackage, readLinkCode } from '../src/linking.ts';
import { readProfile } from '../src/profile.ts';
import { decodeRoles } from '../src/roles.ts';
import { decodeSuccession } from '../src/succession.ts';
import { snakeCase } from './frames.ts';
import { fromHex, toHex } from './vectors.ts';

/** The user whose leaf is verified: with their newest list, and the signature key in the leaf. */
interface Setting {
  readonly user: ids.UserUri;
  readonly room: ids.RoomUri;
  readonly accountKey: string;
  readonly signatureKey: string;
  readonly deviceList: string;
  readonly nowMs: ids.TimestampMs;
}

type Decoder = (data: Bytes) => unknown;

async function decodersIn(setting: Setting): Promise<Record<string, Decoder>> {
  const signed = decodeSignedDeviceList(fromHex(setting.deviceList));
  const list = await verifyDeviceList(signed, setting.user, fromHex(setting.accountKey), setting.nowMs);
  return {
    'attachment.read_attachments': (data) => readAttachments(content.decode(data).body),
    'bodies.read_body[BlobUpload]': body(bodies.readBlobUpload),
    'bodies.read_body[Challenge]': body(bodies.readChallenge),
    'bodies.read_body[ClaimedKeyPackages]': body(bodies.readClaimedKeyPackages),
    'bodies.read_body[Directory]': body(bodies.readDirectory),
    'bodies.read_body[KeyPackageCount]': body(bodies.readKeyPackageCount),
    'bodies.read_body[Mailbox]': body((value) => ({ package: bodies.readMailbox(value) })),
    'bodies.read_body[Room]': body(bodies.readRoom),
    'bodies.read_body[Session]': body(bodies.readSession),
    'bodies.read_body[UserDevices]': body(bodies.readUserDevices),
    'bodies.read_body[list[Contact]]': body(bodies.readContacts),
    'bodies.read_body[list[Room]]': body(bodies.readRooms),
    'bodies.read_body[object]': body(() => null),
    'bodies.read_problem': body(bodies.readProblem),
    'cbor.decode': cbor.decode,
    'codec.read_private_message': readPrivateMessage,
    'contact_code.ContactCode.decode': (data) => decodeContactCode(latin1(data)),
    'content.decode': content.decode,
    'content.message_id': (data) => content.messageId(setting.user, setting.room, data),
    'content.read_status_report': readStatusReport,
    'content.salt_of': content.saltOf,
    'credential.LeafCredential.decode': decodeLeafCredential,
    'credential.SignedDeviceList.decode': decodeSignedDeviceList,
    'credential.verify_leaf': (data) => verifyLeaf(data, fromHex(setting.signatureKey), list),
    'franking.Frank.decode': franking.decodeFrank,
    'franking.FrankingAgent.decode': franking.decodeFrankingAgent,
    'franking.franking_tag': franking.frankingTag,
    'franking.read_safe_aad': franking.readSafeAad,
    'ids.parse_blob_id': (data) => ids.parseBlobId(latin1(data)),
    'ids.parse_device_uri': (data) => ids.parseDeviceUri(latin1(data)),
    'ids.parse_hub_uri': (data) => ids.parseHubUri(latin1(data)),
    'ids.parse_room_uri': (data) => ids.parseRoomUri(latin1(data)),
    'ids.parse_user_uri': (data) => ids.parseUserUri(latin1(data)),
    'linking.LinkCode.read': (data) => readLinkCode(latin1(data)),
    'linking.LinkPackage.decode': decodeLinkPackage,
    'messages.read_server_frame': readServerFrame,
    'profile.read_profile': (data) => readProfile(content.decode(data).body),
    'roles.decode_roles': decodeRoles,
    'succession.Succession.decode': decodeSuccession,
  };
}

function body(read: (value: unknown) => unknown): Decoder {
  return (data) => read(bodies.readJson(data));
}

function readStatusReport(data: Bytes): unknown {
  const contentType = content.MESSAGE_STATUS;
  return content.readStatusReport({ kind: 'single', contentType, content: data, disposition: 0, language: '' });
}

function latin1(data: Bytes): string {
  return Buffer.from(data).toString('latin1');
}

/** `value` in JSON that says the type of everything, and names fields as Python does. */
function plain(value: unknown): unknown {
  if (value === null || typeof value === 'boolean') return value;
  if (typeof value === 'number' || typeof value === 'bigint') return `int:${value}`;
  if (typeof value === 'string') return `text:${value}`;
  if (value instanceof Uint8Array) return `bytes:${toHex(value)}`;
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Map) return { map: [...value].map(plain) };
  return Object.fromEntries(Object.entries(value as object).map(([name, field]) => [snakeCase(name), plain(field)]));
}

async function answer(decoder: Decoder | undefined, data: Bytes): Promise<unknown> {
  if (decoder === undefined) throw new Error('no such decoder');
  try {
    return { accepted: plain(await decoder(data)) };
  } catch (error) {
    if (error instanceof RemoteProtocolError || error instanceof VerificationError) return { refused: error.check };
    throw error;
  }
}

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const decoders = await decodersIn(JSON.parse((await lines.next()).value as string) as Setting);
for (let line = await lines.next(); line.done !== true; line = await lines.next()) {
  const [name = '', hex = ''] = line.value.split(' ');
  process.stdout.write(`${JSON.stringify(await answer(decoders[name], fromHex(hex)))}\n`);
}
