import { isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument, visit, type YAMLMap } from 'yaml';
import { MoaError } from '../core/errors.ts';

type Path = readonly PropertyKey[];

/** Larger files are refused unread: a suite is written by hand. */
export const MAX_BYTES = 256 * 1024;
/**
 * Limits that no suite comes near. Without them a small file could take minutes to read, because each alias is looked for in the whole
 * file.
 */
const MAX_ALIASES = 100;
const MAX_DEPTH = 50;
const MAX_ENTRIES = 20_000;

/** A parsed YAML file that knows the line and column of every value. */
export interface YamlSource {
  readonly file: string;
  /** Plain JavaScript data. */
  readonly value: unknown;
  /** `file:line:column` of the value at a path, or of its nearest parent when it is missing. */
  locate(path: Path): string;
  /** `file:line:column` of a key of the map at a path. */
  locateKey(path: Path, key: string): string;
}

/**
 * Parses one YAML 1.2 document.
 * @throws MoaError INVALID_FILE with `file:line:column` of the first syntax error, duplicate key or excessive alias.
 */
export function parseYaml(text: string, file: string): YamlSource {
  const lines = new LineCounter();
  const fail = (offset: number, message: string, cause?: unknown): MoaError => {
    const { line, col } = lines.linePos(offset);
    return new MoaError(`${file}:${Math.max(line, 1)}:${Math.max(col, 1)} ${message}`, {
      code: 'INVALID_FILE',
      hint: 'Fix the YAML syntax at this line.',
      cause,
    });
  };
  if (text.length > MAX_BYTES) throw fail(0, `Expected at most ${MAX_BYTES} characters but received ${text.length}`);
  if (deepestFlow(text) > MAX_DEPTH || DEEP_BLOCK.test(text))
    throw fail(0, `Expected lists and maps at most ${MAX_DEPTH} deep but received deeper ones`);
  if (text.split(/[\n,]/, MAX_ENTRIES + 1).length > MAX_ENTRIES)
    throw fail(0, `Expected at most ${MAX_ENTRIES} lines and entries but received more`);
  try {
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true, uniqueKeys: false });
    const error = document.errors[0] ?? document.warnings[0];
    if (error?.code === 'MULTIPLE_DOCS') throw fail(error.pos[0], 'Expected one document but received several; a suite is one file');
    if (error !== undefined) throw fail(error.pos[0], `${error.message.replace(/\.$/, '')} (${error.code})`);
    let aliases = 0;
    visit(document, {
      Alias: (_, alias) => {
        const at = alias.range?.[0] ?? 0;
        if (++aliases > MAX_ALIASES) throw fail(at, `Expected at most ${MAX_ALIASES} aliases but received more`);
        if (alias.resolve(document) === undefined) throw fail(at, `Expected the anchor &${alias.source} before its alias`);
      },
      Map: (_, map) => {
        const again = repeatedKey(map);
        if (again !== undefined) throw fail(offsetOf(again), 'Map keys must be unique (DUPLICATE_KEY)');
      },
    });
    const value: unknown = document.toJS({ maxAliasCount: MAX_ALIASES });
    const at = (offset: number): string => {
      const { line, col } = lines.linePos(offset);
      return `${file}:${Math.max(line, 1)}:${Math.max(col, 1)}`;
    };
    const root = document.contents as Node | null;
    return {
      file,
      value,
      locate: (path) => at(offsetOf(nearest(root, path))),
      locateKey: (path, key) => {
        const map = nearest(root, path);
        return at(offsetOf(isMap(map) ? ((pairOf(map, key)?.key as Node | undefined) ?? map) : map));
      },
    };
  } catch (cause) {
    // The parser throws plain errors for alias bombs and for nesting that is too deep for the stack.
    if (cause instanceof MoaError) throw cause;
    throw fail(0, `Could not parse the YAML: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
}

/** Lists in lists on one line: `- - - 1`. */
const DEEP_BLOCK = new RegExp(`(?:[-?][ \\t]+){${MAX_DEPTH}}`);

/** How deep `[` and `{` nest. Brackets inside text are counted too; no suite has so many of them that this matters. */
function deepestFlow(text: string): number {
  let [depth, deepest] = [0, 0];
  for (const [bracket] of text.matchAll(/[[\]{}]/g)) {
    depth = bracket === '[' || bracket === '{' ? depth + 1 : Math.max(0, depth - 1);
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}

/** The first key that a map has twice. The parser's own check is not used, because it compares every key with every other. */
function repeatedKey(map: YAMLMap): Node | undefined {
  const seen = new Set<unknown>();
  for (const { key } of map.items) {
    if (!isScalar(key)) continue;
    if (seen.has(key.value)) return key;
    seen.add(key.value);
  }
  return undefined;
}

/** The node at a path, or the deepest of its parents that exists. */
function nearest(root: Node | null, path: Path): Node | null {
  let node = root;
  for (const key of path) {
    const next = isMap(node) ? pairOf(node, String(key))?.value : isSeq(node) ? node.items[Number(key)] : undefined;
    if (next === undefined || next === null) return node;
    node = next as Node;
  }
  return node;
}

function pairOf(map: YAMLMap, key: string): Pair | undefined {
  return map.items.find((pair) => (isScalar(pair.key) ? String(pair.key.value) : String(pair.key)) === key);
}

function offsetOf(node: Node | null | undefined): number {
  return node?.range?.[0] ?? 0;
}
