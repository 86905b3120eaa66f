/** A link code, and the package that opens under it. */

import { expect, test } from 'vitest';

import { sealLink, unsealLink } from '../../src/client/linking.ts';
import type { DeviceUri, TimestampMs, UserUri } from '../../src/ids.ts';
import {
  encodeLinkCode,
  encodeLinkPackage,
  linkInfo,
  linkMailbox,
  linkNumber,
  linkText,
  readLinkCode,
  verifyLinkPackage,
} from '../../src/linking.ts';
import { x25519From } from '../keys.ts';
import { checkOf, fromHex, readVector, type Runners, toHex } from '../vectors.ts';

export const RUNNERS: Runners = {
  linking: () => {
    interface File {
      now_ms: TimestampMs;
      user: UserUri;
      device: DeviceUri;
      code: Record<'sealing_seed' | 'name' | 'encoded' | 'text' | 'mailbox' | 'number' | 'info', string>;
      package: Record<'account_seed' | 'encoded', string>;
      sealed: string;
      refused_codes: { name: string; text: string }[];
    }
    const file = readVector<File>('linking');

    test('a link code is read and written', async () => {
      const code = readLinkCode(file.code.text);
      expect(toHex(encodeLinkCode(code))).toBe(file.code.encoded);
      expect(linkText(code)).toBe(file.code.text);
      expect(code.name).toBe(file.code.name);
      expect(toHex(await linkMailbox(code))).toBe(file.code.mailbox);
      expect(await linkNumber(code)).toBe(file.code.number);
      expect(toHex(linkInfo(code))).toBe(file.code.info);
    });

    test.each(file.refused_codes)('what is no link code is refused: $name', async ({ text }) => {
      expect(await checkOf(() => readLinkCode(text))).toBe('NL-351');
    });

    test('a sealed package opens and names the new device', async () => {
      const code = readLinkCode(file.code.text);
      const key = await x25519From(fromHex(file.code.sealing_seed));
      const opened = await unsealLink(code, key, fromHex(file.sealed));
      const again = await unsealLink(code, key, await sealLink(code, opened));
      for (const linked of [opened, again]) {
        expect(toHex(encodeLinkPackage(linked))).toBe(file.package.encoded);
        const { leaf, list } = await verifyLinkPackage(linked, file.device, code.signatureKey, file.now_ms);
        expect([leaf.device, list.user]).toEqual([file.device, file.user]);
      }
    });
  },
};
