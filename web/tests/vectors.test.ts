import { assert, describe, expect, it, test } from 'vitest';

import * as cbor from '../src/cbor.ts';
import { type Bytes, u16 } from '../src/codec.ts';
import * as content from '../src/content.ts';
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
} from '../src/credential.ts';
import * as franking from '../src/franking.ts';
import { type ClientFrame, encodeFrame, readServerFrame } from '../src/frames.ts';
import type { DeviceUri, HubUri, RoomUri, TimestampMs, UserUri } from '../src/ids.ts';
import { ciphertextLength } from '../src/padding.ts';
import { type ExternalPart } from '../src/part.ts';
import { safetyNumber } from '../src/safety-number.ts';
import { signContent, verifyWithLabel } from '../src/signature.ts';
import { clientFrame, fieldsOf } from './frames.ts';
import { signerFrom } from './keys.ts';
import { checkOf, fromHex, readVector, toHex, vectorNames } from './vectors.ts';

type Runner = () => void;

interface ContentCase {
  name: string;
  sender: UserUri;
  room: RoomUri;
  salt: string;
  message_id: string;
  franking_tag: string;
  cbor: string;
}

const CASES = readVector<{ cases: ContentCase[] }>('mimi-content').cases;

/** What runs each file; a file that is not here fails the last test. */
const RUNNERS: Record<string, Runner> = {
  cbor: () => {
    interface File {
      maps: { name: string; entries: Entries; cbor: string }[];
      refused: { name: string; cbor: string; check: string }[];
    }
    type Entries = [cbor.Key, string | number | Entries][];
    const { maps, refused } = readVector<File>('cbor');

    function mapOf(entries: Entries): Map<cbor.Key, cbor.Value> {
      return new Map(entries.map(([key, value]) => [key, Array.isArray(value) ? mapOf(value) : value]));
    }

    test.each(maps)('a map has one encoding whatever the order it was made in: $name', (row) => {
      const map = mapOf(row.entries);
      expect(toHex(cbor.encode(map))).toBe(row.cbor);
      expect(toHex(cbor.encode(mapOf(row.entries.toReversed())))).toBe(row.cbor);
      expect(cbor.decode(fromHex(row.cbor))).toEqual(map);
    });

    test.each(refused)('what is not the one encoding is refused: $name', async (row) => {
      expect(await checkOf(() => cbor.decode(fromHex(row.cbor)))).toBe(row.check);
    });
  },

  'mimi-content': () => {
    it('has the fourteen examples of the draft', () => {
      expect(CASES).toHaveLength(14);
    });

    test.each(CASES)('an example re-encodes to its bytes, and has its id and tag: $name', async (row) => {
      const data = fromHex(row.cbor);
      const message = content.decode(data);
      expect(toHex(content.encode(message))).toBe(row.cbor);
      expect([content.senderOf(message), content.roomOf(message), toHex(message.salt)]).toEqual([
        row.sender,
        row.room,
        row.salt,
      ]);
      expect(toHex(await content.messageId(row.sender, row.room, data))).toBe(row.message_id);
      expect(toHex(await franking.frankingTag(data))).toBe(row.franking_tag);
    });
  },

  franking: () => {
    interface File {
      chain: Record<string, string>;
      negative_server_frank: Record<string, string>;
    }
    const file = readVector<File>('franking');
    const original = fromHex(CASES.find((row) => row.name === 'original')?.cbor ?? '');
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

  salamander: () => {
    type Name = 'k1' | 'k2' | 'nonce' | 'aad' | 'ciphertext_and_tag' | 'sha256' | 'plaintext_k1' | 'plaintext_k2';
    const file = readVector<Record<Name, string>>('salamander');

    async function opened(key: Bytes): Promise<string> {
      const aes = await crypto.subtle.importKey('raw', key, 'AES-GCM', false, ['decrypt']);
      const algorithm = { name: 'AES-GCM', iv: fromHex(file.nonce), additionalData: fromHex(file.aad) };
      return toHex(new Uint8Array(await crypto.subtle.decrypt(algorithm, aes, fromHex(file.ciphertext_and_tag))));
    }

    test('one ciphertext opens under both keys to different things', async () => {
      const hash = await crypto.subtle.digest('SHA-256', fromHex(file.ciphertext_and_tag));
      expect(toHex(new Uint8Array(hash))).toBe(file.sha256);
      expect(await opened(fromHex(file.k1))).toBe(file.plaintext_k1);
      expect(await opened(fromHex(file.k2))).toBe(file.plaintext_k2);
      await expect(opened(new Uint8Array(16))).rejects.toThrow();
    });

    test('the franked content says which key was meant', async () => {
      const tags = new Set<string>();
      for (const key of [file.k1, file.k2]) {
        const part: ExternalPart = {
          kind: 'external',
          disposition: 6,
          language: '',
          contentType: 'image/png',
          url: 'https://hub.example/blob/1',
          expiresS: 0,
          size: 0,
          encryptionAlgorithm: 1,
          key: fromHex(key),
          nonce: fromHex(file.nonce),
          aad: new Uint8Array(),
          hashAlgorithm: 1,
          contentHash: fromHex(file.sha256),
          description: '',
          filename: '',
        };
        const ada = 'mimi://courier.example/u/ada' as UserUri;
        const harbour = 'mimi://courier.example/r/harbour' as RoomUri;
        const text = content.textMessage(new Uint8Array(16), ada, harbour, '');
        const data = content.encode({ ...text, body: part });
        expect(content.decode(data).body).toEqual(part);
        tags.add(toHex(await franking.frankingTag(data)));
      }
      expect(tags.size).toBe(2);
    });
  },

  identity: () => {
    interface File {
      user: UserUri;
      account_seed: string;
      account_key: string;
      device_lists: {
        version: number;
        devices: { uri: DeviceUri; signature_key: string }[];
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
        expect(list.devices.map((device) => [device.uri, toHex(device.signatureKey)])).toEqual(
          row.devices.map((device) => [device.uri, device.signature_key]),
        );
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

  frames: () => {
    interface Row {
      frame: ClientFrame['frame'];
      fields: Record<string, unknown>;
      bytes: string;
    }
    interface File {
      client: Row[];
      server: Row[];
      read_alike: { name: string; bytes: string; as: string }[];
      refused: { name: string; bytes: string; check: string }[];
    }
    const file = readVector<File>('frames');

    test.each(file.client)('a client’s frame has one encoding: $frame', (row) => {
      expect(toHex(encodeFrame(clientFrame(row.frame, row.fields)))).toBe(row.bytes);
    });

    test.each(file.server)('a server’s frame is read: $frame', (row) => {
      const { frame, ...fields } = readServerFrame(fromHex(row.bytes));
      expect(frame).toBe(row.frame);
      expect(fieldsOf(fields)).toEqual(row.fields);
    });

    test.each(file.read_alike)('a client reads more than a server writes: $name', (row) => {
      expect(readServerFrame(fromHex(row.bytes))).toEqual(readServerFrame(fromHex(row.as)));
    });

    test.each(file.refused)('what is no frame of a server is refused: $name', async (row) => {
      expect(await checkOf(() => readServerFrame(fromHex(row.bytes)))).toBe(row.check);
    });
  },

  padding: () => {
    const name = 'ciphertext length in bytes by content length in bytes';
    const lengths = Object.entries(readVector<Record<typeof name, Record<string, number>>>('padding')[name]);

    test.each(lengths)('%s bytes of content become %d', (content, ciphertext) => {
      expect(ciphertextLength(Number(content))).toBe(ciphertext);
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

for (const [name, run] of Object.entries(RUNNERS)) describe(name, run);

test('every vector file is run here too', () => {
  expect(Object.keys(RUNNERS).toSorted()).toEqual(vectorNames().toSorted());
});
