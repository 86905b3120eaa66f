/**
 * Arrow keys in a list: one item, with what can be pressed in it, is in the order of Tab, and the arrows, Home and End go
 * to the others.
 */

import type { Attachment } from 'svelte/attachments';

const ITEM = '[data-item]';
/** What has `data-aside` is reached in another way, too. */
const PRESSED = 'button:not([data-aside]), a, summary';

/**
 * For the list; its items have `data-item`. `start`: the item that Tab reaches first. `across`: they stand side by side,
 * too.
 */
export function roving(start: 'first' | 'last' = 'first', across = false): Attachment<HTMLElement> {
  return (list) => {
    const items = (): HTMLElement[] => Array.from(list.querySelectorAll<HTMLElement>(ITEM));
    let current: HTMLElement | null = null;

    function choose(item: HTMLElement | null): void {
      current = item;
      for (const each of items()) {
        each.tabIndex = each === item ? 0 : -1;
        for (const inner of each.querySelectorAll<HTMLElement>(PRESSED)) inner.tabIndex = each.tabIndex;
      }
    }

    function refresh(): void {
      const kept = current?.isConnected && current.contains(document.activeElement) ? current : null;
      choose(kept ?? (start === 'first' ? items()[0] : items().at(-1)) ?? null);
    }

    function go(event: KeyboardEvent): void {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const all = items();
      const at = all.findIndex((item) => event.target instanceof Node && item.contains(event.target));
      if (at < 0) return;
      const line = across ? columns(all) : 1;
      const places: Record<string, number> = {
        ArrowUp: at - line,
        ArrowDown: at + line,
        Home: 0,
        End: all.length - 1,
        ...(across ? { ArrowLeft: at - 1, ArrowRight: at + 1 } : {}),
      };
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

/** How many of `items` stand in the first line. */
function columns([first, ...others]: readonly HTMLElement[]): number {
  const top = first?.getBoundingClientRect().top;
  const below = others.findIndex((item) => item.getBoundingClientRect().top !== top);
  return below < 0 ? others.length + 1 : below + 1;
}
