const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December'];
const DAY_MS = 86_400_000;

/**
 * Python's `datetime.strftime` of a date without a time zone, in the C locale of a Linux machine. The fields of `date` are read as UTC.
 * @throws Error for a code that Python does not document.
 */
export function strftime(date: Date, format: string): string {
  return format.replace(/%([-_^0]?)(.?)/gsu, (text, flag: string, code: string) => {
    const field = FIELDS[code];
    if (field === undefined) throw new Error(`the date format ${text} is not supported`);
    return flagged(field(date), flag);
  });
}

/** The flags of the C library: no padding, spaces for zeros, upper case. */
function flagged(text: string, flag: string): string {
  switch (flag) {
    case '-':
      return text.replace(/^[0 ]+(?=\d)/, '');
    case '_':
      return text.replace(/^0+(?=\d)/, (zeros) => ' '.repeat(zeros.length));
    case '^':
      return text.toUpperCase();
    default:
      return text;
  }
}

const pad = (value: number, width = 2, fill = '0'): string => String(value).padStart(width, fill);
const hour12 = (d: Date): number => d.getUTCHours() % 12 || 12;
const day = (d: Date): string => DAYS[d.getUTCDay()] ?? '';
const month = (d: Date): string => MONTHS[d.getUTCMonth()] ?? '';

/** Days since 1 January, from 0. */
function dayOfYear(d: Date): number {
  return Math.floor((Date.UTC(d.getUTCFullYear(), d.getUTCMonth(), d.getUTCDate()) - Date.UTC(d.getUTCFullYear(), 0, 1)) / DAY_MS);
}

/** Week of the year where weeks begin on Sunday (0) or Monday (1); days before the first are in week 0. */
function weekOfYear(d: Date, firstDay: number): number {
  return Math.floor((dayOfYear(d) + 7 - ((d.getUTCDay() + 7 - firstDay) % 7)) / 7);
}

/** ISO 8601: the week and its year are those of its Thursday. */
function isoWeek(d: Date): { readonly year: number; readonly week: number } {
  const thursday = new Date(d.getTime() + (4 - (d.getUTCDay() || 7)) * DAY_MS);
  return { year: thursday.getUTCFullYear(), week: Math.floor(dayOfYear(thursday) / 7) + 1 };
}

const FIELDS: Readonly<Record<string, (d: Date) => string>> = {
  a: (d) => day(d).slice(0, 3),
  A: day,
  w: (d) => String(d.getUTCDay()),
  u: (d) => String(d.getUTCDay() || 7),
  d: (d) => pad(d.getUTCDate()),
  e: (d) => pad(d.getUTCDate(), 2, ' '),
  b: (d) => month(d).slice(0, 3),
  h: (d) => month(d).slice(0, 3),
  B: month,
  m: (d) => pad(d.getUTCMonth() + 1),
  y: (d) => pad(d.getUTCFullYear() % 100),
  Y: (d) => String(d.getUTCFullYear()),
  C: (d) => pad(Math.floor(d.getUTCFullYear() / 100)),
  G: (d) => String(isoWeek(d).year),
  V: (d) => pad(isoWeek(d).week),
  U: (d) => pad(weekOfYear(d, 0)),
  W: (d) => pad(weekOfYear(d, 1)),
  j: (d) => pad(dayOfYear(d) + 1, 3),
  H: (d) => pad(d.getUTCHours()),
  k: (d) => pad(d.getUTCHours(), 2, ' '),
  I: (d) => pad(hour12(d)),
  l: (d) => pad(hour12(d), 2, ' '),
  p: (d) => (d.getUTCHours() < 12 ? 'AM' : 'PM'),
  P: (d) => (d.getUTCHours() < 12 ? 'am' : 'pm'),
  M: (d) => pad(d.getUTCMinutes()),
  S: (d) => pad(d.getUTCSeconds()),
  f: (d) => pad(d.getUTCMilliseconds() * 1000, 6),
  z: () => '',
  Z: () => '',
  D: (d) => strftime(d, '%m/%d/%y'),
  F: (d) => strftime(d, '%Y-%m-%d'),
  R: (d) => strftime(d, '%H:%M'),
  T: (d) => strftime(d, '%H:%M:%S'),
  c: (d) => strftime(d, '%a %b %e %H:%M:%S %Y'),
  x: (d) => strftime(d, '%m/%d/%y'),
  X: (d) => strftime(d, '%H:%M:%S'),
  n: () => '\n',
  t: () => '\t',
  '%': () => '%',
};
