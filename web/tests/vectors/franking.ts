/** What a receiver believes of a message. */

import { expect, it, test } from 'vitest';

import { type Bytes, u16 } from '../../src/codec.ts';
import * as content from '../../src/content.ts';
import * as franking from '../../src/franking.ts';
import type { HubUri, RoomUri, TimestampMs, UserUri } from '../../src/ids.ts';
import { signContent } from '../../src/signature.ts';
import { signerFrom } from '../keys.ts';
import { checkOf, CONTENT_CASES, fromHex, readVector, type Runners, toHex } from '../vectors.ts';
export const RUNNERS: Runners = {
  franking: () => {
    interface File {
      chain: Record<string, string>;
      negative_server_frank: Record<string, string>;
    }
    const file = readVector<File>('franking');
    const original = fromHex(CONTENT_CASES.find((row) => row.name === 'original')?.cbor ?? '');
    const alice = 'mimi://example.com/u/alice-smith' as UserUri;
    const room = 'mimi://example.com/r/engineering_team' as RoomUri;
    const acceptedAtMs = 1_644_387_225_019 as TimestampMs;

    function chain(name: string): Bytes {
      const found = Object.entries(file.chain).find(([key]) => key.split(' ')[0] === name);
      return fromHex(found?.[1] ?? '');
    }

    const received: franking.FrankedMessage = {
      applicationData: original,
      tag: chain('franking_tag'),
      frank: chain('Frank'),
      sender: alice,
      room,
      acceptedAtMs,
    };

    test('the chain holds from content to signature', async () => {
      const tag = await franking.frankingTag(original);
      const ctx = franking.context(alice, room, acceptedAtMs);
      const mac = chain('server_frank');
      const signed = franking.signatureContent(mac, franking.CIPHERSUITE, ctx);
      const sign = await signerFrom(chain('franking_private_key'));
      const signature = await sign(franking.FRANKING_LABEL, signed);
      expect(tag).toEqual(chain('franking_tag'));
      expect(franking.safeAad(tag)).toEqual(chain('authenticated_data'));
      expect(franking.readSafeAad(chain('authenticated_data'))).toEqual(tag);
      expect(ctx).toEqual(chain('ServerFrankingContext'));
      expect(u16(franking.CIPHERSUITE)).toEqual(chain('ciphersuite'));
      expect(signed).toEqual(chain('FrankingIntegrityTBS'));
      expect(signContent(franking.FRANKING_LABEL, signed)).toEqual(chain('SignContent'));
      expect(signature).toEqual(chain('franking_integrity_signature'));
      expect(franking.encodeFrank({ mac, suite: franking.CIPHERSUITE, signature })).toEqual(chain('Frank'));
    });

    test('a receiver believes the chain', async () => {
      const message = await franking.verifyFrankedMessage(received, chain('franking_signature_key'));
      expect(content.senderOf(message)).toBe(alice);
    });

    const edited = Buffer.from(Buffer.from(original).toString('latin1').replace('2.0', '3.0'), 'latin1');
    const changes: [string, Partial<franking.FrankedMessage>, string][] = [
      ['text edited ("2.0"->"3.0")', { applicationData: new Uint8Array(edited) }, 'NL-144'],
      ['timestamp +1 ms', { acceptedAtMs: (acceptedAtMs + 1) as TimestampMs }, 'NL-143'],
      ['sender bob-jones in context', { sender: 'mimi://example.com/u/bob-jones' as UserUri }, 'NL-143'],
      ['room other_room in context', { room: 'mimi://example.com/r/other_room' as RoomUri }, 'NL-143'],
    ];

    test.each(changes)('a receiver does not believe: %s', async (_, changed, check) => {
      const message = { ...received, ...changed };
      expect(await checkOf(() => franking.verifyFrankedMessage(message, chain('franking_signature_key')))).toBe(check);
    });

    test.each(changes)('the hub franks otherwise: %s', async (name, changed) => {
      const message = { ...received, ...changed };
      const ctx = franking.context(message.sender, message.room, message.acceptedAtMs);
      const hmac = { name: 'HMAC', hash: 'SHA-256' };
      const key = await crypto.subtle.importKey('raw', chain('hub_key'), hmac, false, ['sign']);
      const tag = await franking.frankingTag(message.applicationData);
      const mac = await crypto.subtle.sign('HMAC', key, Buffer.concat([tag, ctx]));
      expect(toHex(new Uint8Array(mac))).toBe(file.negative_server_frank[name]);
    });

    it('has these four changes and no other', () => {
      expect(Object.keys(file.negative_server_frank)).toEqual(changes.map(([name]) => name));
    });
  },

  'day-key': () => {
    interface File {
      hub: HubUri;
      franking_key: string;
      franking_agent: string;
      sender: UserUri;
      room: RoomUri;
      accepted_at_ms: TimestampMs;
      mac: string;
      context: string;
      frank: string;
    }
    const file = readVector<File>('day-key');

    test('a franking agent says whose franks are believed', async () => {
      const agent = franking.decodeFrankingAgent(fromHex(file.franking_agent));
      expect([toHex(agent.key), agent.hub]).toEqual([file.franking_key, file.hub]);
      expect(toHex(franking.encodeFrankingAgent(agent))).toBe(file.franking_agent);

      const frank = franking.decodeFrank(fromHex(file.frank));
      const ctx = franking.context(file.sender, file.room, file.accepted_at_ms);
      expect([toHex(frank.mac), toHex(ctx)]).toEqual([file.mac, file.context]);
      await franking.verifyFrank(frank, agent.key, ctx);
    });
  },

  received: () => {
    interface Row {
      name: string;
      application_data: string;
      tag: string;
      frank: string;
      sender: UserUri;
      room: RoomUri;
      accepted_at_ms: TimestampMs;
      check: string | null;
    }
    const file = readVector<{ franking_key: string; messages: Row[] }>('received');

    test.each(file.messages)('a receiver shows what tag, frank, sender and room agree on: $name', async (row) => {
      const message: franking.FrankedMessage = {
        applicationData: fromHex(row.application_data),
        tag: fromHex(row.tag),
        frank: fromHex(row.frank),
        sender: row.sender,
        room: row.room,
        acceptedAtMs: row.accepted_at_ms,
      };
      const check = await checkOf(async () => {
        const shown = await franking.verifyFrankedMessage(message, fromHex(file.franking_key));
        expect(content.senderOf(shown)).toBe(row.sender);
      });
      expect(check).toBe(row.check);
    });
  },
};
