/** What the app says: English for now, from two catalogues that can be translated; this one is there from the start. */

import english from './words/en.json';

export type Words = keyof typeof english;

type Values = Readonly<Record<string, string | number>>;

const LANGUAGE = 'en';
/** For dates and numbers: the person's own kind of the catalogue's language. */
const [LOCALE = LANGUAGE] = [Intl.DateTimeFormat().resolvedOptions().locale].filter((own) => own.startsWith(LANGUAGE));
const plurals = new Intl.PluralRules(LANGUAGE);
const numbers = new Intl.NumberFormat(LOCALE);
const times = new Intl.DateTimeFormat(LOCALE, { hour: 'numeric', minute: '2-digit' });
const weekdays = new Intl.DateTimeFormat(LOCALE, { weekday: 'long' });
const days = new Intl.DateTimeFormat(LOCALE, { day: 'numeric', month: 'long', year: 'numeric' });
const shortDays = new Intl.DateTimeFormat(LOCALE, { day: 'numeric', month: 'short' });
const moments = new Intl.DateTimeFormat(LOCALE, { dateStyle: 'full', timeStyle: 'short' });
const DAY_MS = 86_400_000;

/** A text; or several, of which a number chooses. */
type Entry = string | Readonly<Record<string, string>>;

/** What says the words named `key` of `catalogue`, with `values` in their places; `count` chooses between one and several. */
export function sayer<Key extends string>(
  catalogue: Readonly<Record<Key, Entry>>,
): (key: Key, values?: Values) => string {
  return (key, values = {}) => {
    const found: Entry = catalogue[key];
    const words = typeof found === 'string' ? found : found[plurals.select(Number(values['count']))];
    return (words ?? '').replace(/\{(\w+)\}/gu, (_, name: string) => {
      const value = values[name] ?? '';
      return typeof value === 'number' ? numbers.format(value) : value;
    });
  };
}

export const say = sayer(english);

/** Day and time. */
export function momentOf(atMs: number): string {
  return moments.format(atMs);
}

/** Hours and minutes. */
export function timeOf(atMs: number): string {
  return times.format(atMs);
}

/** The day as people name it: today, yesterday, a weekday of the last week, or a date. */
export function dayOf(atMs: number, nowMs: number): string {
  const ago = daysBetween(atMs, nowMs);
  if (ago === 0) return say('message.today');
  if (ago === 1) return say('message.yesterday');
  return ago > 1 && ago < 7 ? weekdays.format(atMs) : days.format(atMs);
}

/** The time if it was today, else the day in few letters. */
export function whenShort(atMs: number, nowMs: number): string {
  const ago = daysBetween(atMs, nowMs);
  if (ago === 0) return timeOf(atMs);
  if (ago === 1) return say('message.yesterday');
  return ago > 1 && ago < 7 ? weekdays.format(atMs) : shortDays.format(atMs);
}

function daysBetween(atMs: number, nowMs: number): number {
  return Math.round((midnight(nowMs) - midnight(atMs)) / DAY_MS);
}

function midnight(atMs: number): number {
  return new Date(atMs).setHours(0, 0, 0, 0);
}
