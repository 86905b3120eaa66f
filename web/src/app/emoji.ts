/** What can be chosen as a reaction; others are shown, too. */

export const COMMON: readonly string[] = ['👍', '❤️', '😂', '😮', '😢', '🙏'];

export const EMOJI: readonly string[] = Array.from(
  new Intl.Segmenter().segment(
    '👍👎❤️😂😮😢🙏👏🎉🔥💯😀😃😅🤣😊😇🙂😉😍🥰😘😋🤔🤨😐🙄😴😭😡🤯🥳🤗🤞👌✌️💪🤝👋🙌🫶💔💛💚💙💜⭐✨☀️🌧️❄️🌈🌲🌸🌊⛰️🥾⛸️🚲🏕️🎈🎂☕🍰🍎🐦🐟🦊🐻✅❌❓❗',
  ),
  ({ segment }) => segment,
);
