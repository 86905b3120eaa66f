/** Whose device this is. */

import { assert, expect, test } from 'vitest';

import { type Bytes } from '../../src/codec.ts';
import { decodeContactCode, encodeContactCode } from '../../src/contact-code.ts';
import {
  decodeLeafCredential,
  decodeSignedDeviceList,
  type DeviceList,
  deviceListDigest,
  encodeDeviceList,
  encodeLeafCredential,
  encodeSignedDeviceList,
  leafContent,
  leafCredential,
  sessionContent,
  signDeviceList,
  SESSION_LABEL,
  verifyDeviceList,
  verifyLeaf,
} from '../../src/credential.ts';
import type { DeviceUri, TimestampMs, UserUri } from '../../src/ids.ts';
import { safetyNumber } from '../../src/safety-number.ts';
import { verifyWithLabel } from '../../src/signature.ts';
import { signerFrom } from '../keys.ts';
import { checkOf, fromHex, readVector, type Runners, toHex } from '../vectors.ts';
export const RUNNERS: Runners = {
  identity: () => {
    interface File {
      user: UserUri;
      account_seed: string;
      account_key: string;
      device_lists: {
        version: number;
        recovery_key: string;
        devices: { uri: DeviceUri; signature_key: string; may_sign: boolean }[];
        content: string;
        digest: string;
        encoded: string;
      }[];
      leaf_credential: {
        device: DeviceUri;
        signature_key: string;
        list_version: number;
        content: string;
        encoded: string;
      };
      session: {
        session_seed: string;
        session_key: string;
        origin: string;
        device: DeviceUri;
        nonce: string;
        expires_at_ms: TimestampMs;
        content: string;
        signature: string;
      };
    }
    const file = readVector<File>('identity');
    const accountKey = fromHex(file.account_key);
    const nowMs = 1_899_999_000_000 as TimestampMs;

    async function verifiedLists(): Promise<DeviceList[]> {
      const lists: DeviceList[] = [];
      for (const row of file.device_lists) {
        const signed = decodeSignedDeviceList(fromHex(row.encoded));
        lists.push(await verifyDeviceList(signed, file.user, accountKey, nowMs, lists.at(-1) ?? null));
      }
      return lists;
    }

    test('the device lists verify one after the other', async () => {
      const sign = await signerFrom(fromHex(file.account_seed));
      const lists = await verifiedLists();
      expect(lists).toHaveLength(2);
      for (const [at, list] of lists.entries()) {
        const row = file.device_lists[at];
        assert(row !== undefined);
        expect(list.devices.map((device) => [device.uri, toHex(device.signatureKey), device.maySign])).toEqual(
          row.devices.map((device) => [device.uri, device.signature_key, device.may_sign]),
        );
        expect(toHex(list.recoveryKey)).toBe(row.recovery_key);
        expect(list.version).toBe(BigInt(row.version));
        expect(toHex(encodeDeviceList(list))).toBe(row.content);
        expect(toHex(await deviceListDigest(list))).toBe(row.digest);
        expect(toHex(encodeSignedDeviceList(await signDeviceList(list, sign)))).toBe(row.encoded);
      }
    });

    test('the leaf credential verifies against the newest list', async () => {
      const leaf = file.leaf_credential;
      const encoded = fromHex(leaf.encoded);
      const newest = (await verifiedLists()).at(-1);
      assert(newest !== undefined);
      const verified = await verifyLeaf(encoded, fromHex(leaf.signature_key), newest);
      expect([verified.device, verified.user]).toEqual([leaf.device, file.user]);
      expect(encodeLeafCredential(decodeLeafCredential(encoded))).toEqual(encoded);
      expect(toHex(leafContent(leaf.device, fromHex(leaf.signature_key), BigInt(leaf.list_version)))).toBe(
        leaf.content,
      );
      const sign = await signerFrom(fromHex(file.account_seed));
      expect(encodeLeafCredential(await leafCredential(newest, leaf.device, sign))).toEqual(encoded);
    });

    test('the session signature is the one that the hub verifies', async () => {
      const { session } = file;
      const signed = sessionContent(session.origin, session.device, fromHex(session.nonce), session.expires_at_ms);
      const sign = await signerFrom(fromHex(session.session_seed));
      expect(toHex(signed)).toBe(session.content);
      const signature = await sign(SESSION_LABEL, signed);
      expect(toHex(signature)).toBe(session.signature);
      await verifyWithLabel(fromHex(session.session_key), SESSION_LABEL, signed, signature, 'NL-331');
    });
  },

  'refused-identity': () => {
    interface List {
      account_key: string;
      version: number;
      previous: string;
      expires_at_ms: number;
      recovery_key: string;
      devices: { uri: DeviceUri; signature_key: string; may_sign: boolean }[];
      former_keys: string[];
    }
    interface File {
      user: UserUri;
      account_key: string;
      now_ms: TimestampMs;
      lists: { name: string; encoded: string; known: List | null; check: string | null }[];
      leaves: {
        name: string;
        encoded: string;
        signature_key: string;
        list: List;
        listed: boolean;
        check: string | null;
      }[];
    }
    const file = readVector<File>('refused-identity');

    function deviceList(list: List): DeviceList {
      return {
        user: file.user,
        accountKey: fromHex(list.account_key),
        version: BigInt(list.version),
        previous: fromHex(list.previous),
        expiresAtMs: BigInt(list.expires_at_ms),
        recoveryKey: fromHex(list.recovery_key),
        devices: list.devices.map((device) => ({
          uri: device.uri,
          signatureKey: fromHex(device.signature_key),
          maySign: device.may_sign,
        })),
        formerKeys: list.former_keys.map(fromHex),
      };
    }

    test.each(file.lists)('a device list is believed by its key, its time and what came before: $name', async (row) => {
      const signed = decodeSignedDeviceList(fromHex(row.encoded));
      const known = row.known && deviceList(row.known);
      const check = await checkOf(async () => {
        const verified = await verifyDeviceList(signed, file.user, fromHex(file.account_key), file.now_ms, known);
        expect(encodeDeviceList(verified)).toEqual(signed.content);
      });
      expect(check).toBe(row.check);
    });

    test.each(file.leaves)('a leaf is believed by the newest device list: $name', async (row) => {
      const check = await checkOf(async () => {
        const leaf = await verifyLeaf(fromHex(row.encoded), fromHex(row.signature_key), deviceList(row.list));
        expect([leaf.user, leaf.listed]).toEqual([file.user, row.listed]);
      });
      expect(check).toBe(row.check);
    });
  },

  'contact-code': () => {
    interface File {
      codes: { user: UserUri; account_key: string; code: string; also: string[] }[];
      refused: { name: string; code: string; check: string }[];
    }
    const file = readVector<File>('contact-code');

    test.each(file.codes)('$user hands over a code', async ({ user, account_key, code, also }) => {
      const said = { user, accountKey: fromHex(account_key) };
      expect(await encodeContactCode(said)).toBe(code);
      for (const text of [code, ...also]) expect(await decodeContactCode(text)).toEqual(said);
    });

    test.each(file.refused)('no code: $name', async ({ code, check }) => {
      expect(await checkOf(() => decodeContactCode(code))).toBe(check);
    });
  },

  'safety-number': () => {
    interface File {
      pairs: { sides: [Side, Side]; number: string }[];
    }
    interface Side {
      user: UserUri;
      account_key: string;
    }

    test.each(readVector<File>('safety-number').pairs)(
      'the side named second sees $number too',
      async ({ sides, number }) => {
        const [one, other] = sides.map((side) => ({ user: side.user, accountKey: fromHex(side.account_key) })) as [
          { user: UserUri; accountKey: Bytes },
          { user: UserUri; accountKey: Bytes },
        ];
        expect(await safetyNumber(other, one)).toBe(number);
      },
    );
  },
};
