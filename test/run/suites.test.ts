import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { TASK_NAMES } from '../../src/data/tasks.ts';
import { modelConfig } from '../../src/model/load.ts';
import { loadPlan } from '../../src/plan/file.ts';
import { lintPlan } from '../../src/plan/lint.ts';
import { loadSuite } from '../../src/suite/load.ts';
import { published } from '../plan/published.ts';

const folder = join(import.meta.dirname, '../../suites');
const suites = readdirSync(folder).filter((name) => name.endsWith('.yaml'));

describe('suites/', () => {
  test.each(suites)('%s has tasks that exist, a model that can be named, and plans that fit it', (name) => {
    const { suite } = loadSuite(join(folder, name), { generatedTasks: TASK_NAMES });
    const model = modelConfig(suite.model.path);
    for (const method of suite.methods) {
      if (method.method !== 'plan') continue;
      expect(lintPlan(loadPlan(join(folder, method.path)), { model }).filter((finding) => finding.severity === 'error')).toEqual([]);
    }
  });

  test.each([
    ['vicuna-7b', 'lmsys--vicuna-7b-v1.5-16k.moa', 32],
    ['llama-3-8b', 'gradientai--Llama-3-8B-Instruct-262k.moa', 8],
  ])('plans/%s is the published plan', (name, file, kvHeads) => {
    const plan = loadPlan(join(folder, 'plans', `${name}.moa.json`));
    const again = published(file, { layers: 32, heads: 32, kvHeads }, [4096, 8192, 16384]).plan;
    expect(plan.rules).toEqual(again.rules);
    expect(plan.densities).toEqual(again.densities);
  });
});
