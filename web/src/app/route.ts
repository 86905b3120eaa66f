/** Which screen is open: the part of the page's address after `#`, so that "back" works. No name of a person is in it. */

import { RemoteProtocolError } from '../errors.ts';
import { parseRoomUri, providerOf, type RoomUri } from '../ids.ts';

export type Route =
  | { readonly screen: 'rooms' | 'contacts' | 'new' | 'settings' }
  /** `code`: a contact code that somebody followed here. */
  | { readonly screen: 'contact'; readonly code: string }
  | { readonly screen: 'room' | 'people'; readonly room: RoomUri };

const ROOMS: Route = { screen: 'rooms' };

/** The screen at `hash`; the list of rooms where there is none. */
export function readRoute(hash: string): Route {
  const [screen, one = '', other = '', more] = hash.replace(/^#\/?/u, '').split('/');
  switch (screen) {
    case 'contacts':
    case 'new':
    case 'settings':
      return { screen };
    case 'contact':
      return { screen, code: one };
    case 'room':
      try {
        const room = parseRoomUri(`mimi://${one}/r/${other}`);
        return { screen: more === 'people' ? 'people' : 'room', room };
      } catch (error) {
        if (error instanceof RemoteProtocolError) return ROOMS;
        throw error;
      }
    default:
      return ROOMS;
  }
}

/** Where the screen is. */
export function hrefOf(route: Route): string {
  switch (route.screen) {
    case 'rooms':
      return '#/';
    case 'contact':
      return `#/contact/${route.code}`;
    case 'room':
      return roomHref(route.room);
    case 'people':
      return `${roomHref(route.room)}/people`;
    default:
      return `#/${route.screen}`;
  }
}

function roomHref(room: RoomUri): string {
  return `#/room/${providerOf(room)}/${room.slice(room.lastIndexOf('/') + 1)}`;
}
