import { readFileSync, writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { MoaError } from '../../core/errors.ts';
import { writeFileAtomic } from '../../core/files.ts';
import { readModelConfig } from '../../model/config.ts';
import { exportPublished } from '../../plan/export.ts';
import { loadPlan, savePlan } from '../../plan/file.ts';
import { importPublished } from '../../plan/import.ts';
import { inspectPlan } from '../../plan/inspect.ts';
import { lintPlan } from '../../plan/lint.ts';
import { planSvg } from '../../plan/svg.ts';
import { EXIT } from '../exit-code.ts';
import { integers } from '../parse.ts';

const DEFAULT_LENGTHS = [4096, 8192, 16384];

/** moabench plan: look at, check, and convert plans. */
export function planCommand(): Command {
  const plan = new Command('plan').description('Look at, check and convert plans');
  plan.addCommand(inspectCommand());
  plan.addCommand(convertCommand());
  plan.addCommand(lintCommand());
  return plan;
}

export {
  DEFAULT_LENGTHS,
  EXIT,
  exportPublished,
  importPublished,
  inspectPlan,
  integers,
  lintPlan,
  loadPlan,
  MoaError,
  planSvg,
  readFileSync,
  readModelConfig,
  savePlan,
  writeFileAtomic,
  writeFileSync,
};
