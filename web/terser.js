/** Scripts, minified once more: what Terser still finds after Vite's own is 2 KB of what a page loads. */

import { minify } from 'terser';

/**
 * Comes before whatever computes a hash of the files.
 *
 * @returns {import('vite').Plugin}
 */
export function terser() {
  return {
    name: 'terser',
    apply: 'build',
    generateBundle: {
      order: 'pre',
      async handler(_, bundle) {
        for (const chunk of Object.values(bundle)) {
          if (chunk.type !== 'chunk') continue;
          const { code } = await minify(chunk.code, { module: true, compress: { passes: 3 } });
          if (code === undefined) throw new Error(`nothing is left of ${chunk.fileName}`);
          chunk.code = code;
        }
      },
    },
  };
}
