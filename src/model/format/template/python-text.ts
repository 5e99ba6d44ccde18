import type { TemplateValue } from './jinja.ts';

/** What Python's `str` gives for a value, which is what a template prints. @throws Error for functions and namespaces. */
export function pythonText(value: TemplateValue): string {
  if (value.type === 'StringValue') return value.value as string;
  return value.type === 'UndefinedValue' ? '' : pythonRepr(value);
}

function pythonRepr(value: TemplateValue): string {
  switch (value.type) {
    case 'StringValue':
      return quoted(value.value as string);
    case 'BooleanValue':
      return value.value === true ? 'True' : 'False';
    case 'NullValue':
      return 'None';
    case 'UndefinedValue':
      return 'Undefined';
    case 'IntegerValue':
      return BigInt(value.value as number).toString();
    case 'FloatValue':
      return floatText(value.value as number);
    case 'ArrayValue':
      return `[${(value.value as readonly TemplateValue[]).map(pythonRepr).join(', ')}]`;
    case 'TupleValue': {
      const items = (value.value as readonly TemplateValue[]).map(pythonRepr);
      return items.length === 1 ? `(${items[0]},)` : `(${items.join(', ')})`;
    }
    case 'ObjectValue': {
      const entries = [...(value.value as ReadonlyMap<string, TemplateValue>)];
      return `{${entries.map(([key, item]) => `${quoted(key)}: ${pythonRepr(item)}`).join(', ')}}`;
    }
    default:
      throw new Error(`a ${value.type} has no text`);
  }
}

const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\' };

/** Python prefers single quotes, and escapes what cannot be printed. */
function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const body = text.replace(/[\p{C}\p{Z}\\'"]/gu, (char) => {
    if (char === ' ') return char;
    if (char === "'" || char === '"') return char === quote ? `\\${char}` : char;
    if (ESCAPES[char] !== undefined) return ESCAPES[char];
    const code = char.codePointAt(0) ?? 0;
    if (code < 0x100) return `\\x${code.toString(16).padStart(2, '0')}`;
    return code < 0x10000 ? `\\u${code.toString(16).padStart(4, '0')}` : `\\U${code.toString(16).padStart(8, '0')}`;
  });
  return `${quote}${body}${quote}`;
}

/** Both languages print the shortest digits that round back; they differ in where exponents begin and how they are written. */
function floatText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  const [digits = '', exponent = '0'] = value.toExponential().split('e');
  const power = Number(exponent);
  if (value !== 0 && (power < -4 || power >= 16)) {
    return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
  }
  const text = Object.is(value, -0) ? '-0' : value.toFixed(Math.max(0, digits.replace(/^-?\d\.?/, '').length - power));
  return text.includes('.') ? text : `${text}.0`;
}
