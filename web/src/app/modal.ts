import type { Attachment } from 'svelte/attachments';

/** The dialog is open for as long as it is there, above everything else; the focus goes back to where it was. */
export const modal: Attachment<HTMLDialogElement> = (dialog) => {
  const before = document.activeElement;
  dialog.showModal();
  return () => {
    if (before instanceof HTMLElement && before.isConnected) before.focus();
  };
};
