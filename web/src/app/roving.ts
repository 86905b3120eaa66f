/** Arrow keys in a list: one item is in the order of Tab, and the arrows, Home and End go to the others. */

import type { Attachment } from 'svelte/attachments';

const ITEM = '[data-item]';

/** For the list; its items have `data-item`. `start`: the item that Tab reaches first. */
export function roving(start: 'first' | 'last' = 'first'): Attachment<HTMLElement> {
  return (list) => {
    const items = (): HTMLElement[] => Array.from(list.querySelectorAll<HTMLElement>(ITEM));
    let current: HTMLElement | null = null;

    function choose(item: HTMLElement | null): void {
      current = item;
      for (const each of items()) each.tabIndex = each === item ? 0 : -1;
    }

    function refresh(): void {
      const kept = current?.isConnected && current === document.activeElement ? current : null;
      choose(kept ?? (start === 'first' ? items()[0] : items().at(-1)) ?? null);
    }

    function go(event: KeyboardEvent): void {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const all = items();
      const at = all.findIndex((item) => item === event.target);
      if (at < 0) return;
      const places: Record<string, number> = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: all.length - 1 };
      const place = places[event.key];
      const next = place === undefined ? undefined : all[place];
      if (next === undefined) return;
      event.preventDefault();
      choose(next);
      next.focus();
    }

    function enter(event: FocusEvent): void {
      const item = event.target instanceof HTMLElement ? event.target.closest<HTMLElement>(ITEM) : null;
      if (item !== null && item !== current) choose(item);
    }

    const changes = new MutationObserver(refresh);
    changes.observe(list, { childList: true, subtree: true });
    list.addEventListener('keydown', go);
    list.addEventListener('focusin', enter);
    refresh();
    return () => {
      changes.disconnect();
      list.removeEventListener('keydown', go);
      list.removeEventListener('focusin', enter);
    };
  };
}
