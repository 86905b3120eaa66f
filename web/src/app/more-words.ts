/** What the app says in what is loaded late. */

import { sayer } from './words.ts';
import english from './words/en-more.json';

export type MoreWords = keyof typeof english;

export const tell = sayer(english);
