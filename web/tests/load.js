/** Runs a TypeScript module below this folder under Node, as Vite reads it: `node load.js MODULE`. */

import process from 'node:process';

import { createServer } from 'vite';

import { tsMls } from '../ts-mls.js';

const [, , module] = process.argv;
const server = await createServer({
  root: new URL('..', import.meta.url).pathname,
  configFile: false,
  plugins: [tsMls()],
  ssr: { noExternal: ['ts-mls'] },
  appType: 'custom',
  logLevel: 'error',
  optimizeDeps: { noDiscovery: true },
  server: { middlewareMode: true, hmr: false, watch: null, ws: false },
});
await server.ssrLoadModule(`/tests/${String(module)}`);
await server.close();
