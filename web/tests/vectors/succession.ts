/** Which account keys are believed, and the words of a recovery key. */

import { expect, test } from 'vitest';

import type { UserDevices } from '../../src/bodies.ts';
import { keyOfSeed } from '../../src/client/seed.ts';
import { seedOf, toWords } from '../../src/client/recovery-words.ts';
import { decodeSignedDeviceList, type DeviceList, verifyDeviceList } from '../../src/credential.ts';
import type { DeviceUri, TimestampMs, UserUri } from '../../src/ids.ts';
import {
  decodeSuccession,
  encodeSuccession,
  followAccount,
  recoveryContent,
  verifyRecovery,
} from '../../src/succession.ts';
import { checkOf, fromHex, readVector, type Runners, toHex } from '../vectors.ts';

interface Row {
  name: string;
  known: { account_key: string; device_list: string } | null;
  account_key: string;
  device_list: string;
  successions: string[];
  check?: string;
  version?: number;
  former_keys?: string[];
  recovered?: boolean[];
}

export const RUNNERS: Runners = {
  succession: () => {
    interface File {
      now_ms: TimestampMs;
      user: UserUri;
      rows: Row[];
      recovery: Record<'seed' | 'signature_key' | 'session_key' | 'account_key' | 'content' | 'signature', string> & {
        device: DeviceUri;
      };
    }
    const file = readVector<File>('succession');

    async function knownOf({ known }: Row): Promise<DeviceList | null> {
      if (known === null) return null;
      const signed = decodeSignedDeviceList(fromHex(known.device_list));
      return verifyDeviceList(signed, file.user, fromHex(known.account_key), null);
    }

    test.each(file.rows)('a new account key is believed or refused: $name', async (row) => {
      const devices: UserDevices = {
        user: file.user,
        accountKey: fromHex(row.account_key),
        deviceList: fromHex(row.device_list),
        successions: row.successions.map(fromHex),
        credential: null,
        recovery: null,
      };
      const known = await knownOf(row);
      if (row.check !== undefined) {
        expect(await checkOf(() => followAccount(devices, file.now_ms, known))).toBe(row.check);
        return;
      }
      const { newest, successions } = await followAccount(devices, file.now_ms, known);
      expect(Number(newest.version)).toBe(row.version);
      expect(newest.formerKeys.map(toHex)).toEqual(row.former_keys);
      expect(successions.map(({ recovered }) => recovered)).toEqual(row.recovered);
      for (const one of row.successions) expect(toHex(encodeSuccession(decodeSuccession(fromHex(one))))).toBe(one);
    });

    test('who asks for a recovery holds the recovery key', async () => {
      const { seed, device, signature_key, session_key, account_key, content, signature } = file.recovery;
      const [signatureKey, sessionKey] = [fromHex(signature_key), fromHex(session_key)];
      const made = recoveryContent(file.user, device, signatureKey, sessionKey, fromHex(account_key));
      expect(toHex(made)).toBe(content);
      await verifyRecovery((await keyOfSeed(fromHex(seed))).publicKey, made, fromHex(signature));
      const { publicKey } = await keyOfSeed(new Uint8Array(32));
      expect(await checkOf(() => verifyRecovery(publicKey, made, fromHex(signature)))).toBe('NL-147');
    });
  },

  'recovery-words': () => {
    interface File {
      keys: { seed: string; words: string }[];
      same: { seed: string; words: string }[];
      refused: { name: string; words: string }[];
    }
    const file = readVector<File>('recovery-words');

    test.each(file.keys)('a recovery key is 24 words: $words', ({ seed, words }) => {
      expect(toWords(fromHex(seed))).toBe(words);
      expect(toHex(seedOf(words))).toBe(seed);
    });

    test.each(file.same)('words are read however they are spaced and capitalised: $words', ({ seed, words }) => {
      expect(toHex(seedOf(words))).toBe(seed);
    });

    test.each(file.refused)('what is no recovery key is refused: $name', async ({ words }) => {
      expect(await checkOf(() => seedOf(words))).toBe('NL-134');
    });
  },
};
