import { MoaError } from '../core/errors.ts';
import type { RunRecord } from '../records/record.ts';
import type { Suite } from '../suite/schema.ts';

/** The limits of what a report can show. Valid records may still hold numbers that no measurement gives, or too many methods, tasks or heads to draw. */
const LIMITS = {
  methods: 256,
  tasks: 256,
  categories: 64,
  /** KV heads of a plan. The largest published model has 126 layers of 8 KV heads. 128 layers of 128 KV heads would be 16,384. */
  heads: 16_384,
  /** Rounds of one measurement. A suite can ask for at most 10,000. */
  rounds: 10_000,
  /** Largest absolute value of a number. No size in bytes, time in ms, loss or count of a real run is larger, and sums and ratios of such numbers stay finite. */
  magnitude: 1e15,
  /** Shortest timing, in ms. It is less than a hundredth of a clock cycle. */
  shortest: 1e-9,
} as const;

/** Checks that a report can show the suite and its records. @throws MoaError INVALID_FILE, in one sentence, for records that no real run makes. */
export function checkReportable(suite: Suite, records: readonly RunRecord[]): void {
  atMost(suite.methods.length, LIMITS.methods, 'methods', 'the suite');
  const samples = records.filter((record) => record.kind === 'sample');
  atMost(new Set(samples.map(({ task }) => task)).size, LIMITS.tasks, 'tasks', 'the records');
  atMost(new Set(samples.map(({ category }) => category)).size, LIMITS.categories, 'categories', 'the records');
  for (const record of records) {
    checkNumbers(record);
    if (record.kind === 'plan')
      atMost(record.plan.model.layers * record.plan.model.kvHeads, LIMITS.heads, 'KV heads', `the plan ${record.path}`);
    if (record.kind !== 'measurement') continue;
    const place = `${record.measure} of ${record.method} at ${record.length} tokens`;
    atMost(record.samplesMs.length, LIMITS.rounds, 'rounds', place);
    if (record.samplesMs.some((ms) => ms < LIMITS.shortest))
      throw refused(`timings of at least ${LIMITS.shortest} ms`, place, 'a shorter one');
  }
}

function checkNumbers(record: RunRecord): void {
  const stack: unknown[] = [record];
  for (let value = stack.pop(); value !== undefined; value = stack.pop()) {
    if (typeof value === 'number' && !(Math.abs(value) <= LIMITS.magnitude))
      throw refused(`numbers of at most ${LIMITS.magnitude}`, `a record of kind ${record.kind}`, String(value));
    if (value === null || typeof value !== 'object') continue;
    for (const part of Object.values(value)) if (part !== undefined) stack.push(part);
  }
}

function atMost(count: number, limit: number, what: string, place: string): void {
  if (count > limit) throw refused(`at most ${limit} ${what}`, place, String(count));
}

function refused(expected: string, place: string, received: string): MoaError {
  return new MoaError(`Expected ${expected} for ${place} but received ${received}`, {
    code: 'INVALID_FILE',
    hint: 'No run makes such records; the file was edited or damaged.',
  });
}
