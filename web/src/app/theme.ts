/** Light, dark, or as the device is; remembered in this browser. */

export const THEMES = ['auto', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const KEY = 'theme';

/** What was chosen. */
export function chosenTheme(): Theme {
  const chosen = localStorage.getItem(KEY);
  return THEMES.find((theme) => theme === chosen) ?? 'auto';
}

/** The page looks so, now and from now on. */
export function chooseTheme(theme: Theme): void {
  localStorage.setItem(KEY, theme);
  showTheme();
}

/** The page looks as was chosen. */
export function showTheme(): void {
  document.documentElement.dataset['theme'] = chosenTheme();
}
