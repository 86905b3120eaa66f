/** Which messages exist: read without keys, and everything else refused before the library sees it. */

import type { Commit } from 'ts-mls/commit.js';
import { decodeMlsMessage, encodeMlsMessage, type MLSMessage } from 'ts-mls/message.js';
import type { PrivateMessage } from 'ts-mls/privateMessage.js';
import type { Add, Remove } from 'ts-mls/proposal.js';
import type { PublicMessage } from 'ts-mls/publicMessage.js';

import { type Bytes, concat, equal, Reader, u16, writeVector } from '../codec.ts';
import { RemoteProtocolError } from '../errors.ts';
import { readSafeAad } from '../franking.ts';
import { must, MlsError } from './errors.ts';

/** The component whose SafeAAD item is a commit's changes of roles. Of the range for private use. */
const ROLES = 0x8001;

const SENDERS = { external: 'NL-221', new_member_proposal: 'NL-222', new_member_commit: 'NL-223' } as const;

/** The one MLSMessage that `bytes` are, in its one encoding. Throws `MlsError` NL-200. */
export function parse(bytes: Bytes): MLSMessage {
  const message = decoded(bytes);
  must(message !== undefined && equal(encodeMlsMessage(message), bytes), 'NL-200');
  return message;
}

function decoded(bytes: Bytes): MLSMessage | undefined {
  try {
    return decodeMlsMessage(bytes.slice(), 0)?.[0];
  } catch {
    return undefined;
  }
}

/** The franking tag of a PrivateMessage, which holds application data. Throws `MlsError` NL-220, NL-232. */
export function checkApplication(message: PrivateMessage): Bytes {
  must(message.contentType === 'application', 'NL-220');
  try {
    return readSafeAad(message.authenticatedData);
  } catch (error) {
    if (!(error instanceof RemoteProtocolError)) throw error;
    throw new MlsError('NL-232');
  }
}

/** A member's commit with a path, inline Adds and Removes and nothing else. */
export interface PlainCommit {
  readonly committer: number;
  readonly confirmationTag: Uint8Array;
  readonly adds: readonly Add[];
  readonly removes: readonly Remove[];
  /** What its authenticated data says about roles, if anything. */
  readonly roles: Bytes;
}

/** A handshake's authenticated data: `SafeAAD{ 0x8001: roles }`; the empty one, if `roles` is nothing. */
export function handshakeAad(roles: Bytes): Bytes {
  return writeVector(roles.length === 0 ? roles : concat(u16(ROLES), writeVector(roles)));
}

/** What `handshakeAad` was made of. Throws `MlsError` NL-228. */
function rolesIn(authenticatedData: Uint8Array): Bytes {
  try {
    const items = new Reader(authenticatedData);
    const item = new Reader(items.vector());
    items.finish();
    if (item.atEnd) return new Uint8Array();
    const component = item.u16();
    const roles = item.vector();
    item.finish();
    must(component === ROLES && roles.length > 0, 'NL-228');
    return roles;
  } catch (error) {
    if (!(error instanceof RemoteProtocolError)) throw error;
    throw new MlsError('NL-228');
  }
}

/** `message` is such a commit. Throws `MlsError` NL-221 to NL-229. */
export function checkCommit({ content, auth }: PublicMessage): PlainCommit {
  const { sender } = content;
  if (sender.senderType !== 'member') throw new MlsError(SENDERS[sender.senderType]);
  must(content.contentType !== 'application', 'NL-229');
  must(content.contentType === 'commit' && auth.contentType === 'commit', 'NL-224');
  const roles = rolesIn(content.authenticatedData);
  const { adds, removes } = proposals(content.commit);
  must(content.commit.path !== undefined, 'NL-227');
  return { committer: sender.leafIndex, confirmationTag: auth.confirmationTag, adds, removes, roles };
}

function proposals(commit: Commit): { adds: Add[]; removes: Remove[] } {
  const adds: Add[] = [];
  const removes: Remove[] = [];
  for (const item of commit.proposals) {
    must(item.proposalOrRefType === 'proposal', 'NL-225');
    if (item.proposal.proposalType === 'add') adds.push(item.proposal.add);
    else if (item.proposal.proposalType === 'remove') removes.push(item.proposal.remove);
    else throw new MlsError('NL-226');
  }
  return { adds, removes };
}
