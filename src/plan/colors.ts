/** How many colours a terminal shows. */
export type ColorDepth = 'none' | '256' | 'truecolor';

/** [red, green, blue], 0..255. */
export type Rgb = readonly [number, number, number];

/** What a stream's terminal shows, by the usual variables; NO_COLOR (when not empty) wins, then FORCE_COLOR. */
export function colorDepthOf(env: Readonly<Record<string, string | undefined>>, isTerminal: boolean): ColorDepth {
  const { NO_COLOR, FORCE_COLOR, TERM, COLORTERM } = env;
  if ((NO_COLOR ?? '') !== '' || FORCE_COLOR === '0' || TERM === 'dumb') return 'none';
  if (!isTerminal && FORCE_COLOR === undefined) return 'none';
  if (FORCE_COLOR === '3' || /^(truecolor|24bit)$/i.test(COLORTERM ?? '')) return 'truecolor';
  return '256';
}

/** Text in a foreground colour. */
export function paint(text: string, color: Rgb, depth: ColorDepth): string {
  if (depth === 'none') return text;
  const code = depth === 'truecolor' ? `2;${color.join(';')}` : `5;${nearest256(color)}`;
  return `\u001b[38;${code}m${text}\u001b[39m`;
}

/** The 6 x 6 x 6 colour cube of 256-colour terminals: levels 0, 95, 135, 175, 215, 255. */
function nearest256([red, green, blue]: Rgb): number {
  const level = (value: number): number => (value < 48 ? 0 : value < 115 ? 1 : Math.min(5, Math.floor((value - 35) / 40)));
  return 16 + 36 * level(red) + 6 * level(green) + level(blue);
}

/** Anchors of a dark-to-light, colour-blind-safe scale (blue, teal, yellow), legible on dark and on light. */
const SCALE: readonly Rgb[] = [
  [68, 84, 160],
  [44, 125, 152],
  [44, 162, 127],
  [128, 190, 74],
  [228, 196, 40],
];

/** The colour of a ratio 0..1. */
export function scaleColor(ratio: number): Rgb {
  const at = Math.max(0, Math.min(1, ratio)) * (SCALE.length - 1);
  const low = Math.min(SCALE.length - 2, Math.floor(at));
  const [a, b] = [SCALE[low] as Rgb, SCALE[low + 1] as Rgb];
  const mix = (i: 0 | 1 | 2): number => Math.round(a[i] + (b[i] - a[i]) * (at - low));
  return [mix(0), mix(1), mix(2)];
}
