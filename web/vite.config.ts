import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';
import { sri } from 'vite-plugin-sri3';

import { tsMls } from './ts-mls.js';

export default defineConfig({
  plugins: [svelte(), tsMls(), sri()],
  worker: { format: 'es', plugins: () => [tsMls()] },
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
      output: { chunkFileNames: 'assets/shared-[hash].js' },
    },
  },
  test: {
    include: ['tests/**/*.test.ts'],
    server: { deps: { inline: ['ts-mls'] } },
  },
});
