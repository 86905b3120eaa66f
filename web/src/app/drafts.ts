import type { RoomUri } from '../ids.ts';

/** What is begun and not sent, in each room; for as long as the page is open, and nowhere but in memory. */
export const drafts = new Map<RoomUri, string>();
