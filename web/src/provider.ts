/** Which app this is: the page is the same for all of them, and the host's name says which one somebody opened. */

import type { ProviderName } from './ids.ts';

const LOCALHOST = 'localhost';

/**
 * The provider whose app is at `hostname`: that of this name; on localhost, that with the same first label, so that
 * `courier.localhost` is `courier.example`. Null if it is none of `providers`.
 */
export function providerAt(hostname: string, providers: readonly ProviderName[]): ProviderName | null {
  const isHere = (provider: ProviderName): boolean => [provider, localName(provider)].includes(hostname);
  return providers.find(isHere) ?? null;
}

/** Where the app of `provider` is on this machine, if `place` is the page's and on this machine too. */
export function localAddress(provider: ProviderName, place: { protocol: string; port: string }): string {
  const port = place.port === '' ? '' : `:${place.port}`;
  return `${place.protocol}//${localName(provider)}${port}/`;
}

/** What people call the app of `provider`: `courier.example` is Courier. */
export function appName(provider: ProviderName): string {
  const label = firstLabel(provider);
  return label.charAt(0).toUpperCase() + label.slice(1);
}

/** Whether `hostname` is this machine's own name, which no app has. */
export function isThisMachine(hostname: string): boolean {
  return hostname === LOCALHOST || hostname === '127.0.0.1';
}

function localName(provider: ProviderName): string {
  return `${firstLabel(provider)}.${LOCALHOST}`;
}

function firstLabel(provider: ProviderName): string {
  return provider.split('.')[0] ?? provider;
}
