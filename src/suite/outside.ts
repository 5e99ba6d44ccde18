import { realpathSync } from 'node:fs';
import { isAbsolute, relative, resolve } from 'node:path';
import { type Problem, pathText } from './problems.ts';
import type { Suite } from './schema.ts';
import type { YamlSource } from './yaml-source.ts';

/**
 * One problem for each plan or data file of a suite that lies, after links are followed, outside both the suite's folder and the working
 * folder. The content of these files is published with the run, so a stranger's suite may name outside files only where the user allows it.
 * A missing file is no problem here; reading it fails later. The model's folder may lie anywhere, because only the files of a model are
 * read from it.
 */
export function pathsOutside(source: YamlSource, suite: Suite, folder: string): Problem[] {
  const homes = [real(folder), real('.')];
  return namedFiles(suite).flatMap(({ at, path }) => {
    const target = real(resolve(folder, path));
    if (homes.some((home) => contains(home, target))) return [];
    return [
      {
        message: `${source.locate(at)} ${pathText(at)}: Expected a path inside the suite's folder or the working folder but received ${JSON.stringify(path)}`,
        hint: 'If you trust this suite, let it read there with --allow-outside.',
      },
    ];
  });
}

interface NamedFile {
  readonly at: readonly PropertyKey[];
  readonly path: string;
}

function namedFiles({ methods, quality }: Suite): NamedFile[] {
  const longEval = quality?.retrieval?.source;
  const longBench = quality?.longbench?.source;
  const folder = ['quality', 'longbench', 'source', 'folder'];
  return [
    ...methods.flatMap((method, i) => (method.method === 'plan' ? [{ at: ['methods', i, 'path'], path: method.path }] : [])),
    ...(longEval?.kind === 'longeval'
      ? longEval.files.map(({ path }, i) => ({ at: ['quality', 'retrieval', 'source', 'files', i, 'path'], path }))
      : []),
    ...(longBench?.kind === 'longbench'
      ? [longBench.folder, ...(quality?.longbench?.tasks ?? []).map((task) => `${longBench.folder}/${task}.jsonl`)].map((path) => ({
          at: folder,
          path,
        }))
      : []),
  ];
}

/** The path with its links followed as far as it exists. */
function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const parent = resolve(path, '..');
    return parent === resolve(path) ? parent : resolve(real(parent), relative(parent, resolve(path)));
  }
}

function contains(home: string, path: string): boolean {
  const way = relative(home, path);
  return way === '' || !(way === '..' || way.startsWith('../') || isAbsolute(way));
}
