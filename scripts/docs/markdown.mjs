// Markdown tables, and how numbers are written in them.

export function table(header, rows) {
  const line = (cells) => `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(header), `|${header.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}

/** `1.66x [1.65, 1.67]`, or the estimate alone when there is no interval. */
export function ratio({ estimate, low, high }) {
  const short = (value) => (value >= 10 ? value.toFixed(1) : value.toFixed(2));
  return low === null ? `${short(estimate)}x` : `${short(estimate)}x [${short(low)}, ${short(high)}]`;
}

export function percent(value) {
  return `${(100 * value).toFixed(0)}%`;
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
