import { writeFileAtomic } from '../core/files.ts';
import { contentHash } from '../core/hash.ts';
import { parseOrThrow, readJson } from '../core/json-file.ts';
import { type Plan, planSchema } from './schema.ts';

/** The plan in a file. Errors: NOT_FOUND, IO, or INVALID_FILE naming the file, the field and its value. */
export function loadPlan(path: string): Plan {
  return parsePlan(readJson(path), path);
}

/** A plan from a plain value; `path` names it in errors. */
export function parsePlan(value: unknown, path: string): Plan {
  const published = value !== null && typeof value === 'object' && 'alphas' in value && 'betas' in value;
  const hint = `This is a plan as published, {alphas, betas}. Convert it first: moabench plan convert ${path} --kv-heads <n> --out plan.json`;
  return parseOrThrow(planSchema, value, { what: 'a plan', path, ...(published ? { hint } : {}) });
}

/** Writes the whole plan or nothing. Errors: INVALID_FILE when the value is no plan, IO. */
export function savePlan(path: string, plan: Plan): void {
  writeFileAtomic(path, `${planText(parsePlan(plan, path))}\n`);
}

/** The address of a plan: equal for equal content. */
export function planHash(plan: Plan): string {
  return contentHash(plan);
}

/** JSON with two spaces, but every row of rules and every further rule on one line, so that a diff shows layers. */
function planText(plan: Plan): string {
  return JSON.stringify(plan, null, 2)
    .replace(/\[\s+(-?[\d.e+-]+(?:,\s+-?[\d.e+-]+)*)\s+\]/g, (_, row: string) => `[${row.replace(/\s+/g, ' ')}]`)
    .replace(/\{\s+("layer": [^{}]*?)\s+\}/g, (_, rule: string) => `{ ${rule.replace(/\s+/g, ' ')} }`);
}
