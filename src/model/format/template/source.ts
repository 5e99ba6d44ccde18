/** Characters that a string literal of the library may hold as they are. */
const PLAIN = /^[A-Za-z0-9 _]$/;
const RAW = /\{%([-+]?)\s*raw\s*(-?)%\}/y;
const END_RAW = /\{%([-+]?)\s*endraw\s*([-+]?)%\}/g;
const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  '\n': '',
  '\\': '\\',
  "'": "'",
  '"': '"',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};
const HEX_DIGITS: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

/**
 * A Jinja template, rewritten so that @huggingface/jinja reads it as Python's Jinja reads the original. `{% raw %}` blocks become string
 * literals, string literals keep only escapes that both know, and the signs of `{%+` and `+%}` are replaced by what they mean under
 * trim_blocks and lstrip_blocks.
 * @throws Error for what neither reads.
 */
export function portableTemplate(source: string): string {
  const text = source.replace(/\r\n?/g, '\n');
  let out = '';
  let at = 0;
  while (at < text.length) {
    const open = nextTag(text, at);
    out += text.slice(at, open);
    at = open;
    if (at === text.length) break;
    RAW.lastIndex = at;
    const raw = RAW.exec(text);
    if (raw !== null) {
      const block = rawBlock(text, raw, at);
      out = (raw[1] === '' ? withoutIndent(out) : out) + block.code;
      at = block.end;
    } else if (text[at + 1] === '#') {
      const end = text.indexOf('#}', at + 2);
      if (end < 0) throw new Error('a comment does not end');
      out += text.slice(at, end + 2);
      at = end + 2;
    } else {
      const tag = portableTag(text, at);
      out = tag.keepsIndent ? keptIndent(out) + tag.code : out + tag.code;
      at = tag.end;
    }
  }
  return out;
}

function nextTag(text: string, from: number): number {
  for (let at = text.indexOf('{', from); at >= 0; at = text.indexOf('{', at + 1)) if ('{%#'.includes(text[at + 1] ?? ' ')) return at;
  return text.length;
}

function withoutIndent(out: string): string {
  const line = out.lastIndexOf('\n') + 1;
  return /^[ \t]*$/.test(out.slice(line)) ? out.slice(0, line) : out;
}

/** The text with its last indent turned into an expression: lstrip_blocks would remove the indent, and leaves the expression alone. */
function keptIndent(out: string): string {
  const kept = withoutIndent(out);
  return kept.length === out.length ? out : `${kept}{{ ${stringLiteral(out.slice(kept.length))} }}`;
}

function rawBlock(text: string, raw: RegExpExecArray, at: number): { readonly code: string; readonly end: number } {
  END_RAW.lastIndex = at + raw[0].length;
  const close = END_RAW.exec(text);
  if (close === null) throw new Error('a raw block does not end');
  let content = text.slice(at + raw[0].length, close.index);
  if (raw[2] === '-') content = content.trimStart();
  if (close[1] === '-') content = content.trimEnd();
  else if (close[1] === '') content = withoutIndent(content);
  let end = close.index + close[0].length;
  if (close[2] === '' && text[end] === '\n') end++; // trim_blocks
  return { code: `{{${raw[1] === '-' ? '-' : ''} ${stringLiteral(content)} ${close[2] === '-' ? '-' : ''}}}`, end };
}

interface Tag {
  readonly code: string;
  readonly end: number;
  readonly keepsIndent: boolean;
}

/** A statement or an expression up to its end. The end is not looked for inside strings or braces. */
function portableTag(text: string, start: number): Tag {
  const isBlock = text[start + 1] === '%';
  const close = isBlock ? '%}' : '}}';
  const keepsIndent = isBlock && text[start + 2] === '+';
  let code = text.slice(start, start + 2);
  let at = start + (keepsIndent ? 3 : 2);
  for (let braces = 0; at < text.length; ) {
    const char = text[at] as string;
    if (braces === 0 && text.startsWith(close, at)) return { code: code + close, end: at + 2, keepsIndent };
    if (isBlock && text.startsWith('+%}', at)) return { code: `${code}%}{{ '' }}`, end: at + 3, keepsIndent };
    if (char === '"' || char === "'") {
      const end = endOfString(text, at);
      code += stringLiteral(unescaped(text.slice(at + 1, end)));
      at = end + 1;
      continue;
    }
    if (char === '{') braces++;
    else if (char === '}') braces--;
    code += char;
    at++;
  }
  throw new Error(`a tag does not end with ${close}`);
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === text[start]) return at;
  }
  throw new Error('a string does not end');
}

/** Python's reading of the escapes in a string literal; unknown ones stay as they are. */
function unescaped(body: string): string {
  let out = '';
  for (let at = 0; at < body.length; at++) {
    if (body[at] !== '\\') {
      out += body[at];
      continue;
    }
    const kind = body[++at] ?? '';
    const digits = HEX_DIGITS[kind];
    const octal = /^[0-7]{1,3}/.exec(body.slice(at, at + 3))?.[0];
    if (digits !== undefined) {
      const hex = body.slice(at + 1, at + 1 + digits);
      if (hex.length !== digits || /[^0-9a-f]/i.test(hex)) throw new Error(`the escape \\${kind} has no ${digits} hexadecimal digits`);
      out += String.fromCodePoint(Number.parseInt(hex, 16));
      at += digits;
    } else if (octal !== undefined) {
      out += String.fromCodePoint(Number.parseInt(octal, 8));
      at += octal.length - 1;
    } else if (kind === 'N') throw new Error('the escape \\N{...} is not supported');
    else out += Object.hasOwn(SIMPLE_ESCAPES, kind) ? SIMPLE_ESCAPES[kind] : `\\${kind}`;
  }
  return out;
}

function stringLiteral(value: string): string {
  const units = Array.from({ length: value.length }, (_, i) => value[i] as string);
  return `"${units.map((unit) => (PLAIN.test(unit) ? unit : `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)).join('')}"`;
}
