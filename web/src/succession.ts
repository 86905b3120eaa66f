/**
 * How one account key of a person follows another, so that whoever knew the former one believes the new one.
 *
 * A person's recovery key vouches for the new account key; for somebody without one, the former account key does. An
 * account key that nobody vouches for is another person's.
 *
 * Source: `docs/protocol.md`, Replacing the account key.
 */

import type { UserDevices } from './bodies.ts';
import { type Bytes, concat, equal, Reader, utf8, writeVector } from './codec.ts';
import { checkFollows, decodeSignedDeviceList, type DeviceList, verifyDeviceList } from './credential.ts';
import { RemoteProtocolError, VerificationError } from './errors.ts';
import type { DeviceUri, TimestampMs, UserUri } from './ids.ts';
import { PUBLIC_KEY_BYTES, type Sign, SIGNATURE_BYTES, verifyWithLabel } from './signature.ts';

export const RECOVERY_LABEL = 'NLF1 recovery';
const SUCCESSION_LABEL = 'NLF1 account key';
const MAX_SUCCESSIONS = 64;

/**
 * One account key follows another. Keys have 32 bytes, `signature` 64.
 *
 * `formerList`: the last device list under the former key, signed. `recovered`: all that was left was the recovery key.
 * `signature`: by the recovery key that the former list names, or by the former key if it names none.
 */
export interface Succession {
  readonly formerKey: Bytes;
  readonly formerList: Bytes;
  readonly accountKey: Bytes;
  readonly recovered: boolean;
  readonly signature: Bytes;
}

/** `V(former key) ‖ V(former list, signed) ‖ V(account key) ‖ u8 recovered ‖ V(signature)`. */
export function encodeSuccession({ formerKey, formerList, accountKey, recovered, signature }: Succession): Bytes {
  const front = concat(writeVector(formerKey), writeVector(formerList), writeVector(accountKey));
  return concat(front, Uint8Array.of(recovered ? 1 : 0), writeVector(signature));
}

/**
 * The fields, not believed yet.
 *
 * Throws `RemoteProtocolError` as `decodeSignedDeviceList`, NL-301, NL-303; NL-135 for a flag.
 */
export function decodeSuccession(data: Uint8Array): Succession {
  const reader = new Reader(data);
  const formerKey = reader.vector();
  const formerList = reader.vector();
  const accountKey = reader.vector();
  const flag = reader.u8();
  const signature = reader.vector();
  reader.finish();
  if (formerKey.length !== PUBLIC_KEY_BYTES || accountKey.length !== PUBLIC_KEY_BYTES) {
    throw new RemoteProtocolError('NL-303', 'a key that is not 32 bytes');
  }
  if (signature.length !== SIGNATURE_BYTES) throw new RemoteProtocolError('NL-301', 'a signature that is not 64 bytes');
  if (flag > 1) throw new RemoteProtocolError('NL-135', 'neither recovered nor not');
  decodeSignedDeviceList(formerList);
  return { formerKey, formerList, accountKey, recovered: flag === 1, signature };
}

/** What the voucher signs: `V(user URI) ‖ V(former key) ‖ V(account key) ‖ u8 recovered`. */
function successionContent(user: UserUri, formerKey: Bytes, accountKey: Bytes, recovered: boolean): Bytes {
  const keys = concat(writeVector(formerKey), writeVector(accountKey));
  return concat(writeVector(utf8(user)), keys, Uint8Array.of(recovered ? 1 : 0));
}

/** `accountKey` follows that of `former`; `sign` is the recovery key's, or the former account key's. */
export async function succeed(
  former: DeviceList,
  formerList: Bytes,
  accountKey: Bytes,
  sign: Sign,
): Promise<Succession> {
  const content = successionContent(former.user, former.accountKey, accountKey, false);
  const signature = await sign(SUCCESSION_LABEL, content);
  return { formerKey: former.accountKey, formerList, accountKey, recovered: false, signature };
}

/**
 * The former list, now that the key it names vouches for the new one. `known`: the newest list seen before.
 *
 * Throws as `verifyDeviceList`; `VerificationError`: NL-136 (nobody vouches for the key), NL-137 (a list that is not
 * later than `known`).
 */
async function verifySuccession(one: Succession, user: UserUri, known: DeviceList | null): Promise<DeviceList> {
  const sameKey = known !== null && equal(known.accountKey, one.formerKey) ? known : null;
  const former = await verifyDeviceList(decodeSignedDeviceList(one.formerList), user, one.formerKey, null, sameKey);
  if (known !== null && sameKey === null) await checkLater(former, known);
  const by = former.recoveryKey.length > 0 ? former.recoveryKey : one.formerKey;
  const content = successionContent(user, one.formerKey, one.accountKey, one.recovered);
  await verifyWithLabel(by, SUCCESSION_LABEL, content, one.signature, 'NL-136');
  return former;
}

async function checkLater(newest: DeviceList, former: DeviceList): Promise<void> {
  if (newest.version <= former.version) {
    throw new VerificationError('NL-137', 'a list that is not later than the last one under the former account key');
  }
  await checkFollows(newest, former);
}

/** A verified device list, and by which successions its account key follows the one that was known. */
export interface Followed {
  readonly newest: DeviceList;
  readonly successions: readonly Succession[];
}

/**
 * The device list in `devices`, whose account key is, or properly follows, that of the list that is `known`.
 *
 * Of somebody who was not known, every succession is checked: leaves may still be under the former keys.
 *
 * Throws as `verifyDeviceList` (NL-314: nothing leads from the known key to this one), `decodeSuccession` and
 * `verifySuccession`.
 */
export async function followAccount(
  devices: UserDevices,
  nowMs: TimestampMs | null,
  known: DeviceList | null,
): Promise<Followed> {
  const { user, accountKey } = devices;
  const signed = decodeSignedDeviceList(devices.deviceList);
  if (known !== null && equal(known.accountKey, accountKey)) {
    return { newest: await verifyDeviceList(signed, user, accountKey, nowMs, known), successions: [] };
  }
  let chain = devices.successions.map(decodeSuccession);
  if (known !== null) {
    const at = chain.findIndex(({ formerKey }) => equal(formerKey, known.accountKey));
    chain = at < 0 ? [] : chain.slice(at);
  }
  const keys = [...chain.map(({ formerKey }) => formerKey), accountKey];
  const leads = chain.every((one, at) => equal(one.accountKey, keys[at + 1] ?? new Uint8Array()));
  const double = new Set(keys.map((key) => key.toString())).size !== keys.length;
  if (!leads || double || (known !== null && chain.length === 0) || chain.length > MAX_SUCCESSIONS) {
    throw new VerificationError('NL-314', 'another account key than before');
  }
  let former = known;
  for (const one of chain) former = await verifySuccession(one, user, former);
  const newest = await verifyDeviceList(signed, user, accountKey, nowMs);
  if (former !== null) await checkLater(newest, former);
  const formerKeys = [...(known?.formerKeys ?? []), ...keys.slice(0, -1)];
  return { newest: { ...newest, formerKeys }, successions: chain };
}

/** What the recovery key signs to begin a recovery: five vectors in this order. */
export function recoveryContent(
  user: UserUri,
  device: DeviceUri,
  signatureKey: Bytes,
  sessionKey: Bytes,
  accountKey: Bytes,
): Bytes {
  const parts = [utf8(user), utf8(device), signatureKey, sessionKey, accountKey];
  return concat(...parts.map((part) => writeVector(part)));
}

/** Who asks for the recovery holds `recoveryKey`. Throws `VerificationError` NL-147. */
export function verifyRecovery(recoveryKey: Bytes, content: Bytes, signature: Bytes): Promise<void> {
  return verifyWithLabel(recoveryKey, RECOVERY_LABEL, content, signature, 'NL-147');
}
