import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';
import { sri } from 'vite-plugin-sri3';

export default defineConfig({
  plugins: [svelte(), sri()],
  build: {
    // Package data of the server that hands it out; built, never committed.
    outDir: '../src/nightlight/server/web',
    emptyOutDir: true,
    target: 'es2024',
    // The policy allows no inline script, and a data: URL nowhere.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
  },
  test: {
    include: ['tests/**/*.test.ts'],
  },
});
