/** The key packages by which others add this device to rooms: enough of them, none for ever. */

import type { KeyPackageCount } from '../bodies.ts';
import type { Bytes } from '../codec.ts';
import { toHex } from '../hex.ts';
import type { Groups } from './groups.ts';
import type { KeyPackageUpload } from './hub.ts';
import type { Store } from './store.ts';
import { now } from './surroundings.ts';

const LIFETIME_S = 30 * 86_400;
/** They are valid from this long ago, so that a friend whose clock is a little behind can add this device too. */
const CLOCK_SKEW_S = 2 * 86_400;
/** One that was claimed on its last day may be in a welcome that arrives a month later. */
const KEPT_LONGER_S = 30 * 86_400;
const WANTED = 100;
const TOP_UP_AT = 25;

/** What to publish when the server has `held`; the private parts are durable. Null: it has enough. */
export async function topUp(store: Store, groups: Groups, held: KeyPackageCount): Promise<KeyPackageUpload | null> {
  const nowS = Math.floor(now() / 1000);
  const missing = held.remaining < TOP_UP_AT ? WANTED - held.remaining : 0;
  if (missing === 0 && held.hasLastResort) return null;
  return groups.transaction(async () => {
    for (const { reference, notAfterS } of store.keyPackages.values()) {
      if (notAfterS < nowS - KEPT_LONGER_S) store.keyPackages.delete(toHex(reference));
    }
    const make = (lastResort: boolean): Promise<Bytes> =>
      groups.makeKeyPackage(nowS - CLOCK_SKEW_S, CLOCK_SKEW_S + LIFETIME_S, lastResort);
    const keyPackages: Bytes[] = [];
    for (let made = 0; made < missing; made += 1) keyPackages.push(await make(false));
    const lastResort = held.hasLastResort ? null : await make(true);
    return { keyPackages, lastResort };
  });
}
