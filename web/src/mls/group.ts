/** A member's view of a group: it encrypts, decrypts, commits, and never merges by itself. */

import { type ClientState, createGroup, decodeGroupState, encodeGroupState, joinGroup } from 'ts-mls/clientState.js';
import { createCommit, createGroupInfoWithRatchetTree } from 'ts-mls/createCommit.js';
import { createApplicationMessage } from 'ts-mls/createMessage.js';
import type { CiphersuiteImpl } from 'ts-mls/crypto/ciphersuite.js';
import { generateKeyPackageWithKey } from 'ts-mls/keyPackage.js';
import { mlsExporter } from 'ts-mls/keySchedule.js';
import { unprotectPrivateMessage } from 'ts-mls/messageProtection.js';
import { encodeMlsMessage, type MlsMessageContent } from 'ts-mls/message.js';
import { decryptSenderData, type PrivateMessage } from 'ts-mls/privateMessage.js';
import { processPublicMessage } from 'ts-mls/processMessages.js';
import type { Proposal } from 'ts-mls/proposal.js';
import { emptyPskIndex } from 'ts-mls/pskIndex.js';
import type { PublicMessage } from 'ts-mls/publicMessage.js';
import type { SenderData } from 'ts-mls/sender.js';
import { zeroOutUint8Array } from 'ts-mls/util/byteArray.js';

import { type Bytes, concat, copy, equal, Reader, u64, writeVector } from '../codec.ts';
import { LocalProtocolError } from '../errors.ts';
import { safeAad } from '../franking.ts';
import { guarded, must, MlsError } from './errors.ts';
import { checkApplication, checkCommit, handshakeAad, parse } from './handshake.ts';
import {
  checkAddable,
  checkLifetime,
  type HeldKeyPackage,
  type Owner,
  parseKeyPackage,
  readWelcome,
  verified,
} from './key-package.ts';
import { type Change, changeOf, type Leaf, leafOf, members } from './leaf.ts';
import {
  CAPABILITIES,
  checkSettings,
  config,
  FORWARD,
  frankingAgent,
  groupContextExtensions,
  OUT_OF_ORDER,
} from './settings.ts';
import { KEPT_ELSEWHERE } from './suite.ts';

const MAX_U64 = 2n ** 64n - 1n;

/** A commit of this device, pending until the hub has said yes or no. `welcome`: for those it adds, if any. */
export interface Staged {
  readonly commit: Bytes;
  readonly welcome: Bytes | null;
}

/** A message that decrypted and was signed by `sender`. `tag`: from its authenticated data, 32 bytes. */
export interface Application {
  readonly kind: 'application';
  readonly data: Bytes;
  readonly tag: Bytes;
  readonly sender: Leaf;
}

/** Somebody else's commit, read and not merged. */
export interface Commit {
  readonly kind: 'commit';
  readonly change: Change;
  readonly removesMe: boolean;
}

/** A state to go on with, and the secrets of the one before that must go with it. */
interface Next {
  readonly state: ClientState;
  readonly consumed: readonly Uint8Array[];
}

/** One group, in memory; `encode` is what to store. */
export class Group {
  readonly #suite: CiphersuiteImpl;
  readonly #joinedEpoch: number;
  #state: ClientState;
  #pending: Next | null;
  #staged: Next | null = null;
  #changed: boolean;

  private constructor(suite: CiphersuiteImpl, state: ClientState, joinedEpoch: number, pending: Next | null) {
    this.#suite = suite;
    this.#state = state;
    this.#joinedEpoch = joinedEpoch;
    this.#pending = pending;
    this.#changed = false;
  }

  /** A new group in which `owner` is alone. Its leaf was never a key package: there is nothing to expire. */
  static async create(suite: CiphersuiteImpl, owner: Owner, groupId: Bytes, agent: Bytes): Promise<Group> {
    const leaf = await generateKeyPackageWithKey(
      { credentialType: 'basic', identity: owner.credential },
      CAPABILITIES,
      { notBefore: 0n, notAfter: MAX_U64 },
      [],
      { signKey: KEPT_ELSEWHERE, publicKey: owner.signatureKey },
      suite,
    );
    const extensions = groupContextExtensions(agent);
    const state = await createGroup(groupId, leaf.publicPackage, leaf.privatePackage, extensions, suite, config());
    return Group.#joined(suite, state);
  }

  /** The group of a Welcome for `held`. Throws `MlsError` NL-200, NL-201, NL-234, NL-244 to NL-246. */
  static async join(suite: CiphersuiteImpl, welcome: Bytes, held: HeldKeyPackage): Promise<Group> {
    const parsed = parse(welcome);
    must(parsed.wireformat === 'mls_welcome', 'NL-201');
    must(
      readWelcome(welcome).some((reference) => equal(reference, held.reference)),
      'NL-245',
    );
    const privateKeys = {
      initPrivateKey: held.initKey,
      hpkePrivateKey: held.encryptionKey,
      signaturePrivateKey: KEPT_ELSEWHERE,
    };
    const keyPackage = parseKeyPackage(held.message);
    const state = await guarded('NL-246', () =>
      joinGroup(parsed.welcome, keyPackage, privateKeys, emptyPskIndex, suite, undefined, undefined, config()),
    );
    checkSettings(state.groupContext);
    members(state.ratchetTree);
    return Group.#joined(suite, state);
  }

  static #joined(suite: CiphersuiteImpl, state: ClientState): Group {
    const group = new Group(suite, state, Number(state.groupContext.epoch), null);
    group.#changed = true;
    return group;
  }

  /** The group that `encode` wrote. Throws `MlsError` NL-203. */
  static open(suite: CiphersuiteImpl, stored: Bytes): Group {
    const reader = new Reader(stored);
    const state = openState(reader.vector());
    const pending = reader.vector();
    const joinedEpoch = Number(reader.u64());
    reader.finish();
    return new Group(
      suite,
      state,
      joinedEpoch,
      pending.length === 0 ? null : { state: openState(pending), consumed: [] },
    );
  }

  /** What `open` reads: the state, the one of a pending commit, and the epoch in which this device joined. */
  encode(): Bytes {
    const pending = this.#pending === null ? new Uint8Array() : encodeGroupState(this.#pending.state);
    return concat(writeVector(encodeGroupState(this.#state)), writeVector(pending), u64(this.#joinedEpoch));
  }

  /** Whether there is something to store since the last call. */
  takeChanged(): boolean {
    const changed = this.#changed;
    this.#changed = false;
    return changed;
  }

  get groupId(): Bytes {
    return copy(this.#state.groupContext.groupId);
  }

  get epoch(): number {
    return Number(this.#state.groupContext.epoch);
  }

  get members(): Leaf[] {
    return members(this.#state.ratchetTree);
  }

  get hasPending(): boolean {
    return this.#pending !== null;
  }

  /** The encoded franking agent, component 0x0021. */
  get frankingAgent(): Bytes {
    return frankingAgent(this.#state.groupContext);
  }

  get epochAuthenticator(): Bytes {
    return copy(this.#state.keySchedule.epochAuthenticator);
  }

  get confirmedTranscriptHash(): Bytes {
    return copy(this.#state.groupContext.confirmedTranscriptHash);
  }

  get #ownIndex(): number {
    return this.#state.privatePath.leafIndex;
  }

  /** A signed GroupInfo with the ratchet tree, as an MLSMessage. */
  async groupInfo(): Promise<Bytes> {
    const { groupContext, confirmationTag, ratchetTree } = this.#state;
    const groupInfo = await createGroupInfoWithRatchetTree(
      groupContext,
      confirmationTag,
      this.#state,
      ratchetTree,
      [],
      this.#suite,
    );
    return message({ wireformat: 'mls_group_info', groupInfo });
  }

  /** A secret of `length` bytes that all members of this epoch can derive. */
  async export(label: string, context: Bytes, length: number): Promise<Bytes> {
    return copy(await mlsExporter(this.#state.keySchedule.exporterSecret, label, context, length, this.#suite));
  }

  /** `data` as a padded PrivateMessage with `tag` in its authenticated data. */
  async encrypt(data: Bytes, tag: Bytes): Promise<Bytes> {
    const state = { ...this.#state, clientConfig: config(data.length) };
    const made = await createApplicationMessage(state, data, this.#suite, safeAad(tag));
    this.#become({ state: made.newState, consumed: made.consumed });
    return message({ wireformat: 'mls_private_message', privateMessage: made.privateMessage });
  }

  /**
   * A pending commit with a fresh path that adds these key packages, removes these leaves, and replaces the own credential
   * by `credential` if there is one.
   *
   * `roles` goes into its authenticated data, if it is anything.
   *
   * Throws `MlsError` NL-200, NL-201, NL-240 to NL-242 for a key package, NL-260, NL-264.
   */
  async commit(
    add: readonly Bytes[],
    remove: readonly number[],
    roles: Bytes,
    nowS: number,
    credential: Bytes | null = null,
  ): Promise<Staged> {
    must(this.#pending === null && this.#staged === null, 'NL-260');
    const adds: Proposal[] = [];
    for (const encoded of add) {
      const keyPackage = await verified(encoded, this.#suite);
      checkAddable(keyPackage, nowS);
      adds.push({ proposalType: 'add', add: { keyPackage } });
    }
    const present = new Set(this.members.map((leaf) => leaf.index));
    must(
      remove.every((index) => index !== this.#ownIndex && present.has(index)),
      'NL-264',
    );
    const removes = remove.map((removed): Proposal => ({ proposalType: 'remove', remove: { removed } }));
    const made = await guarded('NL-240', () =>
      createCommit(
        { state: this.#underCredential(credential), cipherSuite: this.#suite, pskIndex: emptyPskIndex },
        {
          wireAsPublicMessage: true,
          extraProposals: [...adds, ...removes],
          ratchetTreeExtension: true,
          authenticatedData: handshakeAad(roles),
        },
      ),
    );
    if (made.commit.wireformat !== 'mls_public_message') throw new LocalProtocolError('a commit that nobody can read');
    checkCommit(made.commit.publicMessage);
    this.#pending = { state: made.newState, consumed: made.consumed };
    this.#changed = true;
    const { welcome } = made;
    return {
      commit: message(made.commit),
      welcome: welcome === undefined ? null : message({ wireformat: 'mls_welcome', welcome }),
    };
  }

  /** The state in which the own leaf, which a path replaces, has `credential`: what the new one takes over. */
  #underCredential(credential: Bytes | null): ClientState {
    const at = 2 * this.#ownIndex;
    const node = this.#state.ratchetTree[at];
    if (credential === null || node?.nodeType !== 'leaf') return this.#state;
    const ratchetTree = [...this.#state.ratchetTree];
    ratchetTree[at] = {
      ...node,
      leaf: { ...node.leaf, credential: { credentialType: 'basic', identity: credential } },
    };
    return { ...this.#state, ratchetTree };
  }

  /** What the pending commit does, whose message is `encoded`. Throws `MlsError` NL-261, and as `parse`. */
  pendingChange(encoded: Bytes): Change {
    must(this.#pending !== null, 'NL-261');
    const parsed = parse(encoded);
    must(parsed.wireformat === 'mls_public_message', 'NL-201');
    const after = members(this.#pending.state.ratchetTree);
    return changeOf(this.epoch + 1, this.#ownIndex, checkCommit(parsed.publicMessage), this.members, after);
  }

  /** Merges the pending commit: the hub took it. Throws `MlsError` NL-261. */
  accept(): void {
    must(this.#pending !== null, 'NL-261');
    this.#staged = null;
    this.#become(this.#pending);
    this.#pending = null;
  }

  /** Drops the pending commit, if there is one: the hub did not take it. */
  discard(): void {
    this.#changed ||= this.#pending !== null;
    this.#pending = null;
  }

  /** Decrypts a message, or stages somebody's commit. After an error nothing has changed. Throws `MlsError`. */
  async receive(encoded: Bytes, nowS: number): Promise<Application | Commit> {
    must(this.#state.groupActiveState.kind === 'active', 'NL-262');
    const parsed = parse(encoded);
    if (parsed.wireformat === 'mls_private_message') return this.#receiveApplication(parsed.privateMessage);
    if (parsed.wireformat === 'mls_public_message') return this.#receiveCommit(parsed.publicMessage, nowS);
    throw new MlsError('NL-201');
  }

  async #receiveApplication(private_: PrivateMessage): Promise<Application> {
    const tag = checkApplication(private_);
    this.#checkPlace(private_.groupId, Number(private_.epoch));
    const { keySchedule, secretTree, ratchetTree, groupContext } = this.#state;
    const senderData = await guarded('NL-231', () =>
      decryptSenderData(private_, keySchedule.senderDataSecret, this.#suite),
    );
    must(senderData !== undefined, 'NL-231');
    this.#checkGeneration(senderData);
    const read = await guarded('NL-231', () =>
      unprotectPrivateMessage(
        keySchedule.senderDataSecret,
        private_,
        secretTree,
        ratchetTree,
        groupContext,
        config().keyRetentionConfig,
        this.#suite,
      ),
    );
    const { content } = read.content;
    must(content.contentType === 'application', 'NL-220');
    const sender = ratchetTree[2 * senderData.leafIndex];
    must(sender?.nodeType === 'leaf', 'NL-231');
    forget(read.tree[2 * senderData.leafIndex]?.application);
    const data = copy(content.applicationData);
    this.#become({ state: { ...this.#state, secretTree: read.tree }, consumed: read.consumed });
    return { kind: 'application', data, tag, sender: leafOf(senderData.leafIndex, sender.leaf) };
  }

  /** The window that OpenMLS keeps; the library's own counts keys, not generations. */
  #checkGeneration({ leafIndex, generation }: SenderData): void {
    must(leafIndex !== this.#ownIndex, 'NL-208');
    const ratchet = this.#state.secretTree[2 * leafIndex]?.application;
    must(ratchet !== undefined, 'NL-231');
    const behind = ratchet.generation - generation;
    must(behind <= OUT_OF_ORDER, 'NL-210');
    must(behind <= 0 || ratchet.unusedGenerations[generation] !== undefined, 'NL-207');
    must(-behind <= FORWARD, 'NL-211');
  }

  async #receiveCommit(public_: PublicMessage, nowS: number): Promise<Commit> {
    const plain = checkCommit(public_);
    const { committer, confirmationTag, adds } = plain;
    const { groupId, epoch } = public_.content;
    must(!(Number(epoch) + 1 === this.epoch && equal(confirmationTag, this.#state.confirmationTag)), 'NL-209');
    this.#checkPlace(groupId, Number(epoch));
    must(this.#staged === null, 'NL-260');
    must(committer !== this.#ownIndex, 'NL-230');
    for (const { keyPackage } of adds) checkLifetime(keyPackage, nowS);
    const { newState, consumed } = await guarded('NL-230', () =>
      processPublicMessage(this.#state, public_, emptyPskIndex, this.#suite),
    );
    const after = members(newState.ratchetTree);
    must(new Set(after.map((leaf) => leaf.signatureKey.toString())).size === after.length, 'NL-230');
    const change = changeOf(this.epoch + 1, committer, plain, this.members, after);
    this.#staged = { state: newState, consumed };
    return { kind: 'commit', change, removesMe: newState.groupActiveState.kind === 'removedFromGroup' };
  }

  #checkPlace(groupId: Uint8Array, epoch: number): void {
    must(equal(groupId, this.#state.groupContext.groupId), 'NL-202');
    must(epoch >= this.#joinedEpoch, 'NL-206');
    must(epoch >= this.epoch, 'NL-204');
    must(epoch <= this.epoch, 'NL-205');
  }

  /** Merges the commit that `receive` staged; a pending one of our own is dropped. Throws `MlsError` NL-261. */
  apply(): void {
    must(this.#staged !== null, 'NL-261');
    this.#pending = null;
    this.#become(this.#staged);
    this.#staged = null;
  }

  /** Drops the commit that `receive` staged, if there is one. */
  reject(): void {
    this.#staged = null;
  }

  #become({ state, consumed }: Next): void {
    this.#state = state;
    this.#changed = true;
    consumed.forEach(zeroOutUint8Array);
  }
}

function message(content: MlsMessageContent): Bytes {
  return copy(encodeMlsMessage({ version: 'mls10', ...content }));
}

function openState(stored: Bytes): ClientState {
  const decoded = decodeGroupState(stored, 0);
  must(decoded?.[1] === stored.length, 'NL-203');
  return { ...decoded[0], clientConfig: config() };
}

/** Keys of generations that may not be read any more are gone. */
function forget(ratchet: { generation: number; unusedGenerations: Record<number, Uint8Array> } | undefined): void {
  if (ratchet === undefined) return;
  for (const generation of Object.keys(ratchet.unusedGenerations).map(Number)) {
    if (ratchet.generation - generation > OUT_OF_ORDER) {
      const { [generation]: gone, ...kept } = ratchet.unusedGenerations;
      ratchet.unusedGenerations = kept;
      if (gone !== undefined) zeroOutUint8Array(gone);
    }
  }
}
