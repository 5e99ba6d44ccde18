// Limits of what a reader gets: README.md is short enough to be read to its end, and a clone is small. Prints both sizes.
import { execFileSync } from 'node:child_process';
import { lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** About five minutes of reading. */
const MOST_WORDS = 1200;
/** The bundled model takes 13.3 MiB of them; what `moabench report` can make again is not tracked. */
const MOST_BYTES = 20 * 2 ** 20;

const root = fileURLToPath(new URL('..', import.meta.url));

/** Runs between white space that have a letter or a digit; comments are not read. */
export function countWords(text) {
  return text
    .replaceAll(/<!--[\s\S]*?-->/g, ' ')
    .split(/\s+/)
    .filter((run) => /[\p{L}\p{N}]/u.test(run)).length;
}

/** Bytes of the files that git tracks, as they lie in the working tree; a file that was deleted there counts nothing. */
function trackedBytes() {
  const names = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8', maxBuffer: 64 * 2 ** 20 }).split('\0');
  const sizes = names.filter((name) => name !== '').map((name) => lstatSync(join(root, name), { throwIfNoEntry: false })?.size ?? 0);
  return sizes.reduce((sum, size) => sum + size, 0);
}

const mebibytes = (bytes) => (bytes / 2 ** 20).toFixed(1);

/** One sentence for each limit that is passed. */
export function paperProblems({ words, bytes }) {
  return [
    ...(words > MOST_WORDS ? [`Expected at most ${MOST_WORDS} words in README.md but it has ${words}: move some to docs/`] : []),
    ...(bytes > MOST_BYTES
      ? [`Expected at most ${mebibytes(MOST_BYTES)} MiB of tracked files but there are ${mebibytes(bytes)}: see \`git ls-files\``]
      : []),
  ];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const sizes = { words: countWords(readFileSync(join(root, 'README.md'), 'utf8')), bytes: trackedBytes() };
  console.log(`README.md: ${sizes.words} of ${MOST_WORDS} words; tracked files: ${mebibytes(sizes.bytes)} of ${mebibytes(MOST_BYTES)} MiB`);
  const problems = paperProblems(sizes);
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
}
