/** Frames as frames.json writes them: names in snake case, bytes as hexadecimal, maps as objects. */

import type { ClientFrame } from '../src/frames.ts';
import { fromHex, toHex } from './vectors.ts';

const BYTES = new Set(['submission_id', 'message', 'commit', 'welcome']);

export function clientFrame(frame: ClientFrame['frame'], fields: Record<string, unknown>): ClientFrame {
  const entries = Object.entries(fields).map(([name, value]) => [camelCase(name), fromJson(name, value)]);
  return { frame, ...Object.fromEntries(entries) } as ClientFrame;
}

export function fieldsOf(fields: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [snakeCase(name), toJson(value)]));
}

function fromJson(name: string, value: unknown): unknown {
  if (name === 'cursors') return new Map(Object.entries(value as Record<string, number>));
  return BYTES.has(name) && value !== null ? fromHex(value as string) : value;
}

function toJson(value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value);
  return value instanceof Map ? Object.fromEntries(value) : value;
}

export function camelCase(name: string): string {
  return name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
}

export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
