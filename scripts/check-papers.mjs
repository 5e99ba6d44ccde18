// Checks what a reader gets: README.md is short enough to be read to its end, the tracked files are small enough, links in documents lead somewhere,
// and comments cite only documents of this repository. Prints both sizes.
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, readFileSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Most words in README.md: about five minutes of reading. */
const MOST_WORDS = 1200;
/**
 * Most bytes of tracked files. The bundled model takes 13.3 MiB of them. Records are compressed, and what `moabench report` can make again
 * is not tracked.
 */
const MOST_BYTES = 20 * 2 ** 20;
const MEBIBYTE = 2 ** 20;

const root = fileURLToPath(new URL('..', import.meta.url));

/** Counts the runs between white space that have a letter or a digit. Comments do not count. */
export function countWords(text) {
  return text
    .replaceAll(/<!--[\s\S]*?-->/g, ' ')
    .split(/\s+/)
    .filter((run) => /[\p{L}\p{N}]/u.test(run)).length;
}

const mebibytes = (bytes) => (bytes / MEBIBYTE).toFixed(1);

/** One sentence for each limit that is exceeded. */
export function sizeProblems({ words, bytes }) {
  return [
    ...(words > MOST_WORDS ? [`Expected at most ${MOST_WORDS} words in README.md but it has ${words}: move some to docs/`] : []),
    ...(bytes > MOST_BYTES
      ? [`Expected at most ${mebibytes(MOST_BYTES)} MiB of tracked files but there are ${mebibytes(bytes)}: see \`git ls-files\``]
      : []),
  ];
}

/** The anchors that GitHub gives a Markdown page's headings. */
function anchorsOf(text) {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** One sentence for each link of a page to a file or heading that does not exist. `read` returns the text of a file, or null. */
export function brokenLinks(page, read) {
  const text = (read(page) ?? '').replaceAll(/```[\s\S]*?```/g, '');
  const links = [...text.matchAll(/\]\(([^()\s]+)\)|srcset="([^"]+)"|src="([^"]+)"/g)].map((match) => match[1] ?? match[2] ?? match[3]);
  return links.flatMap((link) => {
    if (/^[a-z]+:/.test(link)) return [];
    const [path, anchor] = link.split('#');
    const target = path === '' ? page : normalize(join(dirname(page), path));
    const found = read(target);
    const leads = found !== null && (anchor === undefined || anchorsOf(found).includes(anchor));
    return leads ? [] : [`Expected a file or heading for the link ${link} in ${page} but there is none`];
  });
}

/** One sentence for each document that the text of a source names and that is not in `known`, a set of base names. */
export function unknownDocuments(path, text, known) {
  const named = [...text.matchAll(/[\w-]+\.md\b/g)].map(([name]) => name);
  return [...new Set(named)]
    .filter((name) => !known.has(name))
    .map((name) => `Expected a document of this repository in ${path} but it cites ${name}`);
}

function readText(path) {
  const file = join(root, path);
  if (!existsSync(file)) return null;
  return lstatSync(file).isFile() ? readFileSync(file, 'utf8') : '';
}

function main() {
  const tracked = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8', maxBuffer: 64 * MEBIBYTE })
    .split('\0')
    .slice(0, -1);
  const present = tracked.filter((path) => existsSync(join(root, path)));
  const sizes = {
    words: countWords(readText('README.md') ?? ''),
    bytes: present.reduce((sum, path) => sum + lstatSync(join(root, path)).size, 0),
  };
  console.log(`README.md: ${sizes.words} of ${MOST_WORDS} words; tracked files: ${mebibytes(sizes.bytes)} of ${mebibytes(MOST_BYTES)} MiB`);
  // The pages of released runs are left out, because `moabench report` writes them.
  const pages = present.filter((path) => path.endsWith('.md') && !/^reports\/.+\/.+\//.test(path));
  // Sources may name report.md: every run folder has one, tracked or not.
  const known = new Set(['report.md', ...present.filter((path) => path.endsWith('.md')).map((path) => basename(path))]);
  const sources = present.filter((path) => /^(src|native|bench|scripts)\/.*\.(ts|mjs|py|cc|cu|cuh|h)$/.test(path));
  const problems = [
    ...sizeProblems(sizes),
    ...pages.flatMap((page) => brokenLinks(page, readText)),
    ...sources.flatMap((path) => unknownDocuments(path, readText(path) ?? '', known)),
  ];
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
