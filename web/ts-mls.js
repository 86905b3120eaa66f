/** Mends to ts-mls 1.6.4, made while it is bundled. Each must match, or nothing is built: docs/adr/0006-ts-mls.md. */

/** @type {Readonly<Record<string, readonly (readonly [string, string])[]>>} */
const MENDS = {
  'clientState.js': [
    // RFC 9420 lets a commit of Adds go without a path; ours never do (NL-227), and ts-mls has no option for it.
    [
      'const needsUpdatePath = allProposals.length === 0 || Object.values(grouped.update).length > 0 || Object.values(grouped.remove).length > 0;',
      'const needsUpdatePath = true;',
    ],
    // Who is removed is removed, also where somebody else is added in the same place.
    [
      'const selfRemoved = mutatedTree[leafToNodeIndex(toLeafIndex(state.privatePath.leafIndex))] === undefined;',
      'const selfRemoved = grouped.remove.some(({ proposal }) => proposal.remove.removed === state.privatePath.leafIndex);',
    ],
    // RFC 9420, 12.4.3.1: an unmerged leaf is a leaf, and a descendant. ts-mls asks for one of the two.
    [
      'if (tree[nodeIndex]?.nodeType !== "leaf" && !dp.includes(toNodeIndex(i)))',
      'if (tree[nodeIndex]?.nodeType !== "leaf" || !dp.includes(toNodeIndex(i)))',
    ],
    // The same section: the nodes between the leaf and this one list it. ts-mls wants every node up to the root to have
    // the same list, and so refuses valid trees in which somebody left and another came.
    [
      'if (!arraysEqual(dpNode.parent.unmergedLeaves, n.parent.unmergedLeaves))',
      'if (parentIdx === i) break; if (!dpNode.parent.unmergedLeaves.includes(unmergedLeaf))',
    ],
  ],
  'ratchetTree.js': [
    // RFC 9420, 7.1: unmerged leaves are in increasing order.
    [
      '[...parentNode.parent.unmergedLeaves, insertedLeafIndex]',
      '[...parentNode.parent.unmergedLeaves, insertedLeafIndex].sort((left, right) => left - right)',
    ],
  ],
};
const FOLDER = '/ts-mls/dist/src/';

/**
 * ts-mls with the mends.
 *
 * @returns {import('vite').Plugin}
 */
export function tsMls() {
  return {
    name: 'ts-mls',
    transform(code, id) {
      const path = id.split('?', 1)[0] ?? id;
      const mends = path.includes(FOLDER) && MENDS[path.slice(path.lastIndexOf(FOLDER) + FOLDER.length)];
      return mends ? { code: mends.reduce(mend, code), map: null } : null;
    },
  };
}

/**
 * @param {string} code
 * @param {readonly [string, string]} mend
 */
function mend(code, [old, mended]) {
  if (code.split(old).length !== 2) throw new Error(`ts-mls has changed: ${old}`);
  return code.replace(old, () => mended);
}
