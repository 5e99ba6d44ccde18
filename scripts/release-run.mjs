// Makes a release of a run folder, which documents show and git keeps:
//   node scripts/release-run.mjs RUN [--to reports/<suite>/<day>-<hash>]
// Its report is made again; then records (compressed), environment, suite, plans and report.md are copied. What `moabench report` can make
// again from these (summary, tables, charts, page) is not. Needs the built dist/.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { writeFileAtomic } from '../dist/core/files.js';
import { readRun } from '../dist/run/read-run.js';
import { recordedPath, recordsPath } from '../dist/run/run-folder.js';
import { writeRunReport } from '../dist/run/write-report.js';

/** `day-hash` of the last run of the folder: its day, and the hash of the suite as it was run. */
function releaseName({ time, suite }) {
  return join(suite.name, `${time.slice(0, 10)}-${suite.hash.slice(0, 8)}`);
}

/** What a release keeps beside its records: files by path, and all plans but their fronts, which are records too. */
function keptFiles(run) {
  const plans = existsSync(join(run, 'plans')) ? readdirSync(join(run, 'plans')) : [];
  const kept = plans.filter((name) => name.endsWith('.json') && !name.endsWith('.front.json'));
  return ['environment.json', 'suite.json', 'report.md', ...kept.map((name) => join('plans', name))];
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { to: { type: 'string' } } });
const [run, ...more] = positionals;
if (run === undefined || more.length > 0) {
  console.error('Expected one run folder but received none or several: node scripts/release-run.mjs RUN [--to FOLDER]');
  process.exit(2);
}
const { summary } = await writeRunReport(run);
const target = values.to ?? join('reports', releaseName(readRun(run).run));
if (existsSync(target) && target !== run) {
  console.error(`Expected a new folder for the release but ${target} is there already`);
  process.exit(2);
}
const log = `${recordsPath(target)}.gz`;
if (existsSync(recordsPath(run))) writeFileAtomic(log, gzipSync(readFileSync(recordsPath(run)), { level: 9 }));
else writeFileAtomic(log, readFileSync(recordedPath(run)));
for (const path of keptFiles(run)) writeFileAtomic(join(target, path), readFileSync(join(run, path)));
// Its links lead to the log, which has another name now.
const report = readFileSync(join(target, 'report.md'), 'utf8');
writeFileAtomic(join(target, 'report.md'), report.replaceAll(/records\.jsonl(?!\.gz)/g, 'records.jsonl.gz'));
const { completed, failed } = summary.cells;
console.log(`${target}: ${completed} cells completed, ${failed.length} failed`);
