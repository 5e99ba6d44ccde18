import { describe, MoaError } from '../../../core/errors.ts';

/** How many times longer a tokenizer's replacements may make a text. Known normalizers replace a character by one. */
const MAX_GROWTH = 64;
/** Known tokenizers have a few parts, nested three deep, and patterns of 300 characters. */
const MAX_DEPTH = 32;
const MAX_PARTS = 4096;
const MAX_PATTERN_CHARS = 4096;

const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const REST = String.raw`\s*[\r\n]+|\s+(?!\S)|\s+`;
const words = (digits: string): string => String.raw`${CONTRACTIONS}|[^\r\n\p{L}\p{N}]?\p{L}+|${digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|${REST}`;
const UPPER = String.raw`[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`;
const LOWER = String.raw`[\p{Ll}\p{Lm}\p{Lo}\p{M}]`;

/** Regular expressions of published tokenizers, which take time in proportion to the text. All others run under a time limit. */
const KNOWN_PATTERNS: ReadonlySet<string> = new Set([
  words(String.raw`\p{N}{1,3}`), // Llama 3
  words(String.raw`\p{N}`), // Qwen 2 and 3
  // Mistral Nemo (tekken)
  String.raw`[^\r\n\p{L}\p{N}]?${UPPER}*${LOWER}+|[^\r\n\p{L}\p{N}]?${UPPER}+${LOWER}*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|${REST}`,
  String.raw`\d`,
  String.raw`\d{1,3}`,
  String.raw`\p{N}`,
  String.raw`\p{N}{1,3}`,
]);

/**
 * Whether a tokenizer.json has only regular expressions that are known to take time in proportion to the text. Refuses a file whose parts
 * are nested too deep or could make a text far longer.
 * @throws MoaError INVALID_FILE.
 */
export function checkTokenizerParts(json: Readonly<Record<string, unknown>>, source: string): { readonly isPlain: boolean } {
  const found: Found = { patterns: [], growth: 1, parts: 0 };
  for (const part of ['normalizer', 'pre_tokenizer', 'post_processor', 'decoder'] as const) {
    found.growth = 1;
    collect(json[part], found, { depth: 0, source });
    if (found.growth > MAX_GROWTH) throw invalid(source, `replacements that make a text at most ${MAX_GROWTH} times longer`, part);
  }
  for (const pattern of found.patterns) {
    if (pattern.length > MAX_PATTERN_CHARS) throw invalid(source, `patterns of at most ${MAX_PATTERN_CHARS} characters`, pattern.length);
  }
  return { isPlain: found.patterns.every((pattern) => KNOWN_PATTERNS.has(pattern)) };
}

interface Found {
  readonly patterns: string[];
  growth: number;
  parts: number;
}

function collect(value: unknown, found: Found, at: { readonly depth: number; readonly source: string }): void {
  if (value === null || typeof value !== 'object') return;
  if (at.depth > MAX_DEPTH || ++found.parts > MAX_PARTS) {
    throw invalid(at.source, `at most ${MAX_PARTS} parts, nested at most ${MAX_DEPTH} deep`, 'more');
  }
  const part = value as Readonly<Record<string, unknown>>;
  const pattern = part.pattern as { readonly Regex?: unknown; readonly String?: unknown } | null | undefined;
  if (typeof pattern?.Regex === 'string') found.patterns.push(pattern.Regex);
  const added = ['content', 'prepend', 'replacement', 'str_rep'].map((name) => part[name]).filter((text) => typeof text === 'string');
  const matched = typeof pattern?.String === 'string' ? Math.max(1, pattern.String.length) : 1;
  for (const text of added) found.growth *= Math.max(1, text.length / matched);
  for (const child of Object.values(part)) collect(child, found, { ...at, depth: at.depth + 1 });
}

function invalid(source: string, what: string, received: unknown): MoaError {
  return new MoaError(`Expected ${what} in ${source} but received ${describe(received)}`, { code: 'INVALID_FILE' });
}
