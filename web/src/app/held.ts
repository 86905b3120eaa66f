/** The ways to a menu: the menu key, Enter, a right click, a long press. */

import type { Attachment } from 'svelte/attachments';

const LONG_MS = 500;
const FAR_PX = 10;

/** For an element that can have the focus; `open` is called with it. Selected text keeps the browser's own menu. */
export function held(open: (element: Element) => void): Attachment<HTMLElement> {
  return (element) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let from = { x: 0, y: 0 };

    function press(event: KeyboardEvent): void {
      if (event.target !== element || event.key !== 'Enter') return;
      event.preventDefault();
      open(element);
    }

    function menu(event: MouseEvent): void {
      letGo();
      if (getSelection()?.isCollapsed === false) return;
      event.preventDefault();
      open(element);
    }

    function touch({ pointerType, clientX, clientY }: PointerEvent): void {
      if (pointerType !== 'touch') return;
      from = { x: clientX, y: clientY };
      timer = setTimeout(() => {
        open(element);
      }, LONG_MS);
    }

    function move({ clientX, clientY }: PointerEvent): void {
      if (Math.hypot(clientX - from.x, clientY - from.y) > FAR_PX) letGo();
    }

    function letGo(): void {
      clearTimeout(timer);
    }

    const hearing = new AbortController();
    const { signal } = hearing;
    element.addEventListener('keydown', press, { signal });
    element.addEventListener('contextmenu', menu, { signal });
    element.addEventListener('pointerdown', touch, { signal });
    element.addEventListener('pointermove', move, { signal });
    for (const over of ['pointerup', 'pointercancel']) element.addEventListener(over, letGo, { signal });
    return () => {
      letGo();
      hearing.abort();
    };
  };
}
