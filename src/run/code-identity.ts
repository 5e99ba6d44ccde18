import { readFileSync, statSync } from 'node:fs';
import { dirname, extname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { contentHash, sha256 } from '../core/hash.ts';
import { readJsonAs } from '../core/json-file.ts';

/** What a number depends on: names, each with a short value or the hash of a long one. */
export type Parts = Readonly<Record<string, string>>;

/** The kinds of results: plans, scores of samples, the samples themselves, timings. */
export type Computation = 'plan' | 'quality' | 'samples' | 'timing';

/** Where the code is: `src` in a checkout, `dist` in a built package. The folder above it holds package.json. */
export interface CodeFolder {
  readonly code: string;
  /** The file extension of our own modules: `.ts` in src, `.js` in dist. */
  readonly extension: string;
}

const OWN: CodeFolder = { code: fileURLToPath(new URL('..', import.meta.url)), extension: extname(fileURLToPath(import.meta.url)) };

/**
 * `files`: the modules in which each computation starts. `given`: folders whose results reach it as artefacts with their own hashes, such as the content of
 * a sample or the rules of a plan; their code is left out.
 */
const STARTS: Readonly<Record<Computation, { readonly files: readonly string[]; readonly given: readonly string[] }>> = {
  plan: { files: ['compress/methods/registry'], given: [] },
  quality: { files: ['run/quality'], given: ['data', 'compress'] },
  samples: { files: ['run/samples'], given: [] },
  timing: { files: ['run/timings', 'run/timing-worker', 'run/efficiency'], given: ['data', 'compress'] },
};
/** Folders whose code keeps or shows numbers and makes none. */
const SHOWN = ['suite', 'records', 'summary', 'report', 'cli'];
/** Modules of `run`, by name, whose code keeps or shows numbers and makes none. */
const KEPT = ['cell-parts', 'code-identity', 'context', 'identity', 'outcome', 'stretch', 'addresses'].map((name) => join('run', name));

const manifestSchema = z.looseObject({ dependencies: z.record(z.string(), z.string()).default({}) });

/**
 * Fingerprint of the code that makes a number: for each folder, a hash of the files that the computation reaches by its imports, and the versions of the
 * packages that they use. Code of reports, and of statistics that are made from records, is not part of it. A changed comment changes the fingerprint.
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

/** Whether a file counts: our modules and their JSON data do, code that only keeps or shows does not. Native libraries have a part of their own. */
function isCounted(inCode: string, left: ReadonlySet<string>): boolean {
  const extension = extname(inCode);
  const isKept = left.has(inCode.split(sep)[0] ?? '') || KEPT.includes(inCode.slice(0, -extension.length));
  return !isKept && ['.js', '.ts', '.json'].includes(extension);
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

/** What a module imports, or names relative to itself by URL. Type-only imports are left out, because they do nothing at run time. */
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
