/** Starts the worker under the page's policy, which trusts its address and no other. */

import address from './worker.ts?worker&url';

/** W3C Trusted Types, as far as we need them. */
interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL: (url: string) => string },
  ): {
    createScriptURL(url: string): string;
  };
}

const policy = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes?.createPolicy('nightlight-worker', {
  createScriptURL(url) {
    if (url !== address) throw new TypeError('not the address of our worker');
    return url;
  },
});

/** A new worker. */
export function startWorker(): Worker {
  return new Worker(policy?.createScriptURL(address) ?? address, { type: 'module', name: 'nightlight' });
}
