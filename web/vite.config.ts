import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';
import { sri } from 'vite-plugin-sri3';

import { brotli } from './brotli.js';
import { terser } from './terser.js';
import { tsMls } from './ts-mls.js';

/** What is neither a document nor a worker: the server sends these without a policy, since what uses them has one. */
const PARTS = 'assets/parts/[name]-[hash]';

export default defineConfig({
  plugins: [svelte(), tsMls(), terser(), sri(), brotli()],
  worker: {
    format: 'es',
    plugins: () => [tsMls(), terser()],
    rolldownOptions: { output: { chunkFileNames: `${PARTS}.js` } },
  },
  // Mended as it is bundled, so never taken as it is.
  optimizeDeps: { exclude: ['ts-mls'] },
  ssr: { noExternal: ['ts-mls'] },
  build: {
    // Package data of the server that hands it out; built, never committed.
    outDir: '../src/nightlight/server/web',
    emptyOutDir: true,
    target: 'es2024',
    // The policy allows no inline script, and a data: URL nowhere.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    // The SDK is a file of its own, which a page can also load by itself.
    rolldownOptions: {
      input: ['index.html', 'src/sdk.ts'],
      preserveEntrySignatures: 'exports-only',
      output: {
        entryFileNames: `${PARTS}.js`,
        chunkFileNames: 'assets/parts/shared-[hash].js',
        assetFileNames: `${PARTS}[extname]`,
        // Few files: each costs its headers, and what is compressed together is smaller.
        codeSplitting: {
          groups: [
            { name: 'shared', test: /\/src\/sdk\.ts$|rolldown\/runtime/, priority: 4 },
            { name: 'first', tags: ['$initial'], priority: 3 },
            { name: 'code', test: /\/node_modules\/qr\/index\.js$/, priority: 2 },
            { name: 'scan', test: /\/node_modules\/qr\/decode\.js$/, priority: 1 },
            { name: 'contacts', test: /\/app\/Contacts\.svelte$/, priority: 2 },
            { name: 'screens', test: /\/app\/(Details|Members|NewConversation|Settings)\.svelte$/, priority: 1 },
            { name: 'messages', test: /\/app\// },
          ],
        },
      },
    },
  },
  test: {
    include: ['tests/**/*.test.ts'],
    server: { deps: { inline: ['ts-mls'] } },
  },
});
