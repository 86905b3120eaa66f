/**
 * Devices over ts-mls, told what to do line by line: `{"device": …, "do": …}` in, `{"ok": …}` or `{"refused": check}` out.
 *
 * Bytes are hexadecimal. `tests/web/test_mls.py` puts it in rooms with devices over the crate.
 */

import process from 'node:process';
import { createInterface } from 'node:readline';

import type { CiphersuiteImpl } from 'ts-mls/crypto/ciphersuite.js';

import type { Bytes } from '../src/codec.ts';
import { MlsError } from '../src/mls/errors.ts';
import { Group } from '../src/mls/group.ts';
import {
  type HeldKeyPackage,
  makeKeyPackage,
  type Owner,
  readKeyPackage,
  readWelcome,
} from '../src/mls/key-package.ts';
import { makeSuite } from '../src/mls/suite.ts';
import { externalCommit, extensionSwap, hiddenCommit, openGroupInfo } from './forger.ts';
import { fromHex, toHex } from './vectors.ts';

interface Command {
  readonly device: string;
  readonly do: string;
  readonly bytes: string;
  readonly tag: string;
  readonly agent: string;
  readonly add: string[];
  readonly remove: number[];
  readonly roles: string;
  readonly now_s: number;
  readonly last_resort: boolean;
}

class Device {
  readonly #suite: CiphersuiteImpl;
  readonly #signatureKey: Bytes;
  readonly #held: HeldKeyPackage[] = [];
  #credential: Bytes = new Uint8Array();
  #group: Group | null = null;

  private constructor(suite: CiphersuiteImpl, signatureKey: Bytes) {
    this.#suite = suite;
    this.#signatureKey = signatureKey;
  }

  static async create(): Promise<Device> {
    const keys = await crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify']);
    const signatureKey = new Uint8Array(await crypto.subtle.exportKey('raw', keys.publicKey));
    return new Device(await makeSuite(keys.privateKey), signatureKey);
  }

  get #owner(): Owner {
    return { credential: this.#credential, signatureKey: this.#signatureKey };
  }

  get #here(): Group {
    if (this.#group === null) throw new Error('no group');
    return this.#group;
  }

  #described(): object {
    const { epoch, epochAuthenticator, confirmedTranscriptHash, frankingAgent, hasPending, members } = this.#here;
    return {
      epoch,
      authenticator: toHex(epochAuthenticator),
      transcript: toHex(confirmedTranscriptHash),
      agent: toHex(frankingAgent),
      pending: hasPending,
      members: members.map((leaf) => [leaf.index, toHex(leaf.credential), toHex(leaf.signatureKey)]),
    };
  }

  async obey(command: Command): Promise<unknown> {
    const nowS = command.now_s;
    const bytes = fromHex(command.bytes);
    switch (command.do) {
      case 'hello':
        this.#credential = bytes;
        return toHex(this.#signatureKey);
      case 'key_package': {
        const made = await makeKeyPackage(this.#suite, this.#owner, nowS, 30 * 86_400, command.last_resort);
        this.#held.push(made);
        return toHex(made.message);
      }
      case 'read_key_package': {
        const read = await readKeyPackage(bytes, this.#suite);
        return [toHex(read.credential), toHex(read.signatureKey), read.notBeforeS, read.notAfterS];
      }
      case 'create':
        this.#group = await Group.create(this.#suite, this.#owner, bytes, fromHex(command.agent));
        return toHex(await this.#group.groupInfo());
      case 'join': {
        const references = readWelcome(bytes).map(toHex);
        const held = this.#held.find(({ reference }) => references.includes(toHex(reference)));
        if (held === undefined) throw new MlsError('NL-245');
        this.#group = await Group.join(this.#suite, bytes, held);
        return this.#described();
      }
      case 'encrypt':
        return toHex(await this.#here.encrypt(bytes, fromHex(command.tag)));
      case 'commit': {
        const staged = await this.#here.commit(command.add.map(fromHex), command.remove, fromHex(command.roles), nowS);
        return [toHex(staged.commit), staged.welcome && toHex(staged.welcome)];
      }
      case 'receive': {
        const received = await this.#here.receive(bytes, nowS);
        if (received.kind === 'commit') {
          const { epoch, added, removed, roles } = received.change;
          const indexes = [added, removed].map((leaves) => leaves.map(({ index }) => index));
          return [epoch, received.removesMe, ...indexes, toHex(roles)];
        }
        return [toHex(received.data), toHex(received.tag), toHex(received.sender.credential)];
      }
      case 'accept':
        this.#here.accept();
        return this.#described();
      case 'discard':
        this.#here.discard();
        return this.#described();
      case 'apply':
        this.#here.apply();
        return this.#described();
      case 'reject':
        this.#here.reject();
        return this.#described();
      case 'reload':
        this.#group = Group.open(this.#suite, this.#here.encode());
        return this.#described();
      case 'forge_hidden_commit':
        return toHex(await hiddenCommit(this.#here, this.#suite));
      case 'forge_extension_swap':
        return toHex(await extensionSwap(this.#here, this.#suite, fromHex(command.agent)));
      case 'forge_open_group_info':
        return toHex(await openGroupInfo(this.#here, this.#suite));
      case 'forge_external_commit': {
        const held = await makeKeyPackage(this.#suite, this.#owner, nowS, 30 * 86_400, false);
        return toHex(await externalCommit(bytes, held, this.#suite));
      }
      default:
        throw new Error(`unknown: ${command.do}`);
    }
  }
}

const devices = new Map<string, Device>();

async function answer(command: Command): Promise<object> {
  const device = devices.get(command.device) ?? (await Device.create());
  devices.set(command.device, device);
  try {
    return { ok: await device.obey(command) };
  } catch (error) {
    if (error instanceof MlsError) return { refused: error.check };
    throw error;
  }
}

for await (const line of createInterface(process.stdin)) {
  process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line) as Command))}\n`);
}
