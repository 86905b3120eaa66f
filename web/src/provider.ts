/** Which app this is: the page is the same for all of them, and the host's name says which one somebody opened. */

import type { ProviderName } from './ids.ts';

const LOCALHOST = '.localhost';

/**
 * The provider whose app is at `hostname`: that of this name; on localhost, that with the same first label, so that
 * `courier.localhost` is `courier.example`. Null if it is none of `providers`.
 */
export function providerAt(hostname: string, providers: readonly ProviderName[]): ProviderName | null {
  const same = providers.find((provider) => provider === hostname);
  if (same !== undefined || !hostname.endsWith(LOCALHOST)) return same ?? null;
  const label = hostname.slice(0, -LOCALHOST.length);
  return providers.find((provider) => provider.split('.')[0] === label) ?? null;
}

/** What people call the app of `provider`: `courier.example` is Courier. */
export function appName(provider: ProviderName): string {
  const label = provider.split('.')[0] ?? provider;
  return label.charAt(0).toUpperCase() + label.slice(1);
}
