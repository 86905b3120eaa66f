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
/** When the newest have less than this left, there are new ones: nobody ever finds only expired ones. */
const RENEWED_EARLIER_S = 7 * 86_400;
const WANTED = 100;
const TOP_UP_AT = 25;

/**
 * What to publish when the server has `held`; the private parts are durable. Null: it has enough.
 *
 * The same again while it is in `store.offered`: the server may have them, and a repeat changes nothing there.
 */
export async function topUp(store: Store, groups: Groups, held: KeyPackageCount): Promise<KeyPackageUpload | null> {
  const offered = store.offered.get('');
  if (offered !== null) return offered;
  const nowS = Math.floor(now() / 1000);
  const ends = [...store.keyPackages.values()].map(({ notAfterS }) => notAfterS);
  const ageing = Math.max(0, ...ends) < nowS + RENEWED_EARLIER_S;
  const enough = held.remaining >= TOP_UP_AT;
  if (enough && held.hasLastResort && !ageing) return null;
  const missing = ageing ? WANTED : enough ? 0 : WANTED - held.remaining;
  return groups.transaction(async () => {
    for (const { reference, notAfterS } of store.keyPackages.values()) {
      if (notAfterS < nowS - KEPT_LONGER_S) store.keyPackages.delete(toHex(reference));
    }
    const make = (lastResort: boolean): Promise<Bytes> =>
      groups.makeKeyPackage(nowS - CLOCK_SKEW_S, CLOCK_SKEW_S + LIFETIME_S, lastResort);
    const keyPackages: Bytes[] = [];
    for (let made = 0; made < missing; made += 1) keyPackages.push(await make(false));
    const lastResort = held.hasLastResort && !ageing ? null : await make(true);
    const upload = { keyPackages, lastResort };
    store.offered.put('', upload);
    return upload;
  });
}
