/** Who is in a group, and what a commit does to that. */

import type { LeafNode } from 'ts-mls/leafNode.js';
import type { RatchetTree } from 'ts-mls/ratchetTree.js';

import { type Bytes, copy } from '../codec.ts';
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
  /** The resulting membership, by leaf index. */
  readonly members: readonly Leaf[];
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

/** Every leaf, by index. Throws `MlsError` NL-234. */
export function members(tree: RatchetTree): Leaf[] {
  return tree.flatMap((node, place) => (node?.nodeType === 'leaf' ? [leafOf(place / 2, node.leaf)] : []));
}
