import { isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument, visit, type YAMLMap } from 'yaml';
import { MoaError } from '../core/errors.ts';

type Path = readonly PropertyKey[];

/** Larger files are refused unread: a suite is written by hand. */
export const MAX_BYTES = 2 ** 20;

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
  try {
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
    const error = document.errors[0] ?? document.warnings[0];
    if (error !== undefined) throw fail(error.pos[0], `${error.message.replace(/\.$/, '')} (${error.code})`);
    visit(document, {
      Alias: (_, alias) => {
        if (alias.resolve(document) === undefined)
          throw fail(alias.range?.[0] ?? 0, `Expected the anchor &${alias.source} before its alias`);
      },
    });
    const value: unknown = document.toJS({ maxAliasCount: 100 });
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
    // Alias bombs and nesting too deep for the stack are thrown as plain errors by the parser.
    if (cause instanceof MoaError) throw cause;
    throw fail(0, `Could not parse the YAML: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
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
