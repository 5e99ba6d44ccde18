import { readFileSync, statSync } from 'node:fs';
import { dirname, extname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { contentHash, sha256 } from '../core/hash.ts';
import { readJsonAs } from '../core/json-file.ts';

/** What a number depends on: names, each with a short value or the hash of a long one. */
export type Parts = Readonly<Record<string, string>>;

/** What is computed: plans, scores of samples by content, the samples themselves, timings. */
export type Computation = 'plan' | 'quality' | 'samples' | 'timing';

/** Where code lies: `src` in a checkout under test, `dist` where it was built; its folder has the package.json. */
export interface CodeFolder {
  readonly code: string;
  /** Of our own modules, such as `.js`. */
  readonly extension: string;
}

const OWN: CodeFolder = { code: fileURLToPath(new URL('..', import.meta.url)), extension: extname(fileURLToPath(import.meta.url)) };

/** Where each computation starts, and whose results reach it as artefacts with hashes of their own: a sample's content, a plan's rules. */
const STARTS: Readonly<Record<Computation, { readonly files: readonly string[]; readonly given: readonly string[] }>> = {
  plan: { files: ['compress/methods/registry'], given: [] },
  quality: { files: ['run/quality'], given: ['data', 'compress'] },
  samples: { files: ['run/samples'], given: [] },
  timing: { files: ['run/timings', 'run/timing-worker', 'run/efficiency'], given: ['data', 'compress'] },
};
/** Folders that keep or show numbers and do not make them. */
const SHOWN = ['suite', 'records', 'summary', 'report', 'cli'];
/** The same in `run`. */
const KEPT = ['cell-parts', 'code-identity', 'context', 'identity', 'outcome', 'stretch', 'addresses'].map((name) => join('run', name));

const manifestSchema = z.looseObject({ dependencies: z.record(z.string(), z.string()).default({}) });

/**
 * Fingerprint of the code that makes a number: every file that the computation reaches by its imports, by folder, and the versions of the packages
 * that they use. A change of a report, or of a statistic that is made from records, changes none of it. A change of a comment counts as a change.
 */
export function codeIdentity(computation: Computation, { code, extension }: CodeFolder = OWN): Parts {
  const { files, given } = STARTS[computation];
  const reached = reach({ code, starts: files.map((file) => join(code, `${file}${extension}`)), left: new Set([...SHOWN, ...given]) });
  const hashes = new Map<string, string[]>();
  for (const [path, text] of [...reached.files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const inCode = relative(code, path);
    const name = inCode.startsWith('..') ? relative(dirname(code), path) : `code in ${inCode.split(sep)[0]}/`;
    hashes.set(name, [...(hashes.get(name) ?? []), inCode, sha256(text)]);
  }
  const manifest = join(code, '..', 'package.json');
  return { ...Object.fromEntries([...hashes].map(([name, list]) => [name, contentHash(list)])), ...versions(manifest, reached.packages) };
}

function versions(manifest: string, packages: ReadonlySet<string>): Parts {
  const { dependencies } = readJsonAs(manifestSchema, manifest, { what: 'a package.json' });
  const used = Object.entries(dependencies).filter(([name]) => packages.has(name));
  return Object.fromEntries(used.map(([name, version]) => [`package ${name}`, version]));
}

interface Reached {
  readonly files: Map<string, string>;
  readonly packages: Set<string>;
}

interface Search {
  readonly code: string;
  readonly starts: readonly string[];
  /** Folders that are left out. */
  readonly left: ReadonlySet<string>;
}

function reach({ code, starts, left }: Search): Reached {
  const reached: Reached = { files: new Map(), packages: new Set() };
  const open = [...starts];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (reached.files.has(path)) continue;
    const text = readFileSync(path, 'utf8');
    reached.files.set(path, text);
    if (path.endsWith('.json')) continue;
    for (const specifier of specifiersOf(text)) {
      const target = join(dirname(path), specifier);
      if (!specifier.startsWith('.')) reached.packages.add(packageOf(specifier));
      else if (isCounted(relative(code, target), left) && isFile(target)) open.push(target);
    }
  }
  return reached;
}

/** Our own files and their data, not what only keeps or shows; the native libraries have a part of their own. */
function isCounted(inCode: string, left: ReadonlySet<string>): boolean {
  const extension = extname(inCode);
  const isKept = left.has(inCode.split(sep)[0] ?? '') || KEPT.includes(inCode.slice(0, -extension.length));
  return !isKept && ['.js', '.ts', '.json'].includes(extension);
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

/** What a module imports or finds beside itself by URL; what it imports only for types does nothing at run time. */
function specifiersOf(text: string): string[] {
  const code = text.replaceAll(/^(?:import|export) type [^;]*;/gm, '');
  const imports = [...code.matchAll(/(?:\bfrom|\bimport|\bnew URL|\brequire|\bresolve)\s*\(?\s*['"]([^'"\n]+)['"]/g)];
  return imports.map((match) => match[1] as string);
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}
