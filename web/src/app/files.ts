/** Files as people see them. */

import type { OpenedFile } from '../client/downloads.ts';
import { kindOf } from './text.ts';
import type { IconName } from './Icon.svelte';

const SIZES = ['byte', 'kilobyte', 'megabyte'] as const;

/** "1.2 MB". */
export function sizeText(bytes: number): string {
  const step = bytes < 1_000 ? 0 : bytes < 1_000_000 ? 1 : 2;
  const value = bytes / 1_000 ** step;
  const maximumFractionDigits = value < 10 && step > 0 ? 1 : 0;
  return new Intl.NumberFormat('en', {
    style: 'unit',
    unit: SIZES[step],
    unitDisplay: step === 0 ? 'long' : 'short',
    maximumFractionDigits,
  }).format(value);
}

export function iconOf(contentType: string): IconName {
  return kindOf(contentType) === 'file.picture' ? 'picture' : 'file';
}

/** The browser saves the file where it saves files, and asks if it is set to. */
export function save({ content, contentType, filename }: OpenedFile): void {
  const url = URL.createObjectURL(new Blob([content], { type: contentType }));
  const link = document.createElement('a');
  link.href = url;
  link.download = filename;
  link.click();
  setTimeout(() => {
    URL.revokeObjectURL(url);
  }, 60_000);
}
