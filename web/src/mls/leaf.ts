/** Who is in a group, and what a commit does to that. */

import type { LeafNode } from 'ts-mls/leafNode.js';
import type { Add, Remove } from 'ts-mls/proposal.js';
import type { RatchetTree } from 'ts-mls/ratchetTree.js';

import { type Bytes, copy, equal } from '../codec.ts';
import { must } from './errors.ts';

/** A member: a device's place in the tree, its credential's identity and its key. */
export interface Leaf {
  readonly index: number;
  readonly credential: Bytes;
  readonly signatureKey: Bytes;
}

/** What a commit does: from one membership to the next. */
export interface Change {
  /** The epoch after it. */
  readonly epoch: number;
  /** The committer's leaf after it. */
  readonly committer: Leaf;
  readonly added: readonly Leaf[];
  readonly removed: readonly Leaf[];
  /** The resulting membership, by leaf index. */
  readonly members: readonly Leaf[];
  /** The item 0x8001 of its authenticated data, or nothing. */
  readonly roles: Bytes;
}

/** The leaf at `index`. Throws `MlsError` NL-234. */
export function leafOf(index: number, node: LeafNode): Leaf {
  return { index, credential: identity(node), signatureKey: copy(node.signaturePublicKey) };
}

/** The identity in a leaf's basic credential. Throws `MlsError` NL-234. */
export function identity(node: LeafNode): Bytes {
  must(node.credential.credentialType === 'basic', 'NL-234');
  return copy(node.credential.identity);
}

/**
 * What a commit by the leaf `committer` does, with these proposals, from `before` to `after`.
 *
 * Throws `MlsError` NL-230 where that is not one change.
 */
export function changeOf(
  epoch: number,
  committer: number,
  { adds, removes, roles }: { adds: readonly Add[]; removes: readonly Remove[]; roles: Bytes },
  before: readonly Leaf[],
  after: readonly Leaf[],
): Change {
  const leaf = after.find(({ index }) => index === committer);
  must(leaf !== undefined, 'NL-230');
  const removed = removes.map((remove) => before.find(({ index }) => index === remove.removed));
  const added = adds.map(({ keyPackage }) => {
    const { signaturePublicKey } = keyPackage.leafNode;
    return after.find(({ signatureKey }) => equal(signatureKey, signaturePublicKey));
  });
  must(removed.every(isThere) && added.every(isThere), 'NL-230');
  return { epoch, committer: leaf, added, removed, members: after, roles };
}

function isThere(leaf: Leaf | undefined): leaf is Leaf {
  return leaf !== undefined;
}

/** Every leaf, by index. Throws `MlsError` NL-234. */
export function members(tree: RatchetTree): Leaf[] {
  return tree.flatMap((node, place) => (node?.nodeType === 'leaf' ? [leafOf(place / 2, node.leaf)] : []));
}
