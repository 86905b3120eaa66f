/** What a member makes whose client obeys ts-mls and nobody else: handshakes that our own clients never send. */

import { type ClientState, decodeGroupState } from 'ts-mls/clientState.js';
import { createCommit, createGroupInfoWithExternalPubAndRatchetTree, joinGroupExternal } from 'ts-mls/createCommit.js';
import type { CiphersuiteImpl } from 'ts-mls/crypto/ciphersuite.js';
import { decodeMlsMessage, encodeMlsMessage, type MlsMessageContent } from 'ts-mls/message.js';
import type { Proposal } from 'ts-mls/proposal.js';
import { emptyPskIndex } from 'ts-mls/pskIndex.js';

import { type Bytes, copy, Reader } from '../src/codec.ts';
import type { Group } from '../src/mls/group.ts';
import { handshakeAad } from '../src/mls/handshake.ts';
import { type HeldKeyPackage, parseKeyPackage } from '../src/mls/key-package.ts';
import { config, groupContextExtensions } from '../src/mls/settings.ts';
import { KEPT_ELSEWHERE } from '../src/mls/suite.ts';

const NO_ROLES = handshakeAad(new Uint8Array());

/** A commit inside a PrivateMessage, which nobody without the group's secrets can tell from a message. */
export function hiddenCommit(group: Group, suite: CiphersuiteImpl): Promise<Bytes> {
  return commit(group, suite, false, []);
}

/** A commit that puts `agent` in the place of the room's franking agent. */
export function extensionSwap(group: Group, suite: CiphersuiteImpl, agent: Bytes): Promise<Bytes> {
  const extensions = groupContextExtensions(agent);
  return commit(group, suite, true, [
    { proposalType: 'group_context_extensions', groupContextExtensions: { extensions } },
  ]);
}

/** The key to join by oneself, which a GroupInfo of ours never has. */
export async function openGroupInfo(group: Group, suite: CiphersuiteImpl): Promise<Bytes> {
  const groupInfo = await createGroupInfoWithExternalPubAndRatchetTree(stateOf(group), [], suite);
  return message({ wireformat: 'mls_group_info', groupInfo });
}

/** The commit with which whoever holds `held` joins by themselves the group of an `openGroupInfo`. */
export async function externalCommit(encoded: Bytes, held: HeldKeyPackage, suite: CiphersuiteImpl): Promise<Bytes> {
  const decoded = decodeMlsMessage(encoded, 0)?.[0];
  if (decoded?.wireformat !== 'mls_group_info') throw new Error('no GroupInfo');
  const privateKeys = {
    initPrivateKey: held.initKey,
    hpkePrivateKey: held.encryptionKey,
    signaturePrivateKey: KEPT_ELSEWHERE,
  };
  const { publicMessage } = await joinGroupExternal(
    decoded.groupInfo,
    parseKeyPackage(held.message),
    privateKeys,
    false,
    suite,
    undefined,
    config(),
    NO_ROLES,
  );
  return message({ wireformat: 'mls_public_message', publicMessage });
}

async function commit(
  group: Group,
  suite: CiphersuiteImpl,
  wireAsPublicMessage: boolean,
  extraProposals: Proposal[],
): Promise<Bytes> {
  const made = await createCommit(
    { state: stateOf(group), cipherSuite: suite, pskIndex: emptyPskIndex },
    { wireAsPublicMessage, extraProposals, ratchetTreeExtension: true, authenticatedData: NO_ROLES },
  );
  return copy(encodeMlsMessage(made.commit));
}

function stateOf(group: Group): ClientState {
  const decoded = decodeGroupState(new Reader(group.encode()).vector(), 0);
  if (decoded === undefined) throw new Error('no group');
  return { ...decoded[0], clientConfig: config() };
}

function message(content: MlsMessageContent): Bytes {
  return copy(encodeMlsMessage({ version: 'mls10', ...content }));
}
