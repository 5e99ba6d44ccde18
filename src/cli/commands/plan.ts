import { basename } from 'node:path';
import { Command } from 'commander';
import { invalidArgument } from '../../core/errors.ts';
import { writeFileAtomic } from '../../core/files.ts';
import { modelConfig } from '../../model/load.ts';
import { exportPublished } from '../../plan/export.ts';
import { loadPlan, savePlan } from '../../plan/file.ts';
import { importPublished, readPublished } from '../../plan/import.ts';
import { inspectPlan } from '../../plan/inspect.ts';
import { lintPlan } from '../../plan/lint.ts';
import type { Plan } from '../../plan/schema.ts';
import { planSvg } from '../../plan/svg.ts';
import { EXIT } from '../exit-code.ts';
import { print, printColoured } from '../output.ts';
import { integer, integers } from '../parse.ts';

const LENGTHS = [4096, 8192, 16384] as const;

/** moabench plan: look at, check and convert plans. */
export function planCommand(): Command {
  return new Command('plan').description('Look at, check and convert plans').addCommand(inspect()).addCommand(convert()).addCommand(lint());
}

interface InspectFlags {
  readonly lengths?: readonly number[];
  readonly svg?: string;
  readonly json: boolean;
}

function inspect(): Command {
  return new Command('inspect')
    .description('Draw the layer x head span map and the elastic curves')
    .argument('<plan>', 'plan file')
    .option('--lengths <tokens...>', `context lengths (default: ${LENGTHS.join(', ')})`, integers)
    .option('--svg <file>', 'write the picture as SVG instead')
    .option('--json', 'print the plan as JSON', false)
    .addHelpText(
      'after',
      '\nExamples:\n  $ moabench plan inspect plan.json --lengths 1024 8192\n  $ moabench plan inspect plan.json --svg plan.svg',
    )
    .action((path: string, flags: InspectFlags) => {
      const plan = loadPlan(path);
      const lengths = flags.lengths ?? LENGTHS;
      if (flags.svg !== undefined) writeFileAtomic(flags.svg, planSvg(plan, { lengths }));
      else if (flags.json) print(`${JSON.stringify(plan)}\n`);
      else printColoured(`${inspectPlan(plan, { lengths, width: Math.max(40, process.stdout.columns ?? 100) })}\n`);
    });
}

interface ConvertFlags {
  readonly out: string;
  readonly to: string;
  readonly model?: string;
  readonly heads?: number;
  readonly kvHeads?: number;
  readonly headDim: number;
  readonly lengths?: readonly number[];
}

function convert(): Command {
  return new Command('convert')
    .description('Import a published {alphas, betas} plan, or export one')
    .argument('<plan>', 'plan file')
    .requiredOption('--out <file>', 'file to write')
    .option('--to <format>', 'moabench or published', 'moabench')
    .option('--model <folder>', 'model whose shape the import takes (only its config.json is read)')
    .option('--heads <n>', 'query heads, without --model', integer)
    .option('--kv-heads <n>', 'KV heads, without --model (default: the query heads)', integer)
    .option('--head-dim <n>', 'head dim, without --model', integer, 128)
    .option('--lengths <tokens...>', 'lengths at which densities are stated', integers)
    .addHelpText(
      'after',
      `
The published format has one rule per query head. On a model with grouped KV heads each group keeps the largest span of its
query heads at every length; the tax is printed.

Examples:
  $ moabench plan convert moa_alpha_beta.json --kv-heads 8 --out plan.json
  $ moabench plan convert plan.json --to published --out moa_alpha_beta.json`,
    )
    .action((path: string, flags: ConvertFlags) => {
      if (flags.to === 'published') writeFileAtomic(flags.out, `${JSON.stringify(exportPublished(loadPlan(path)))}\n`);
      else if (flags.to === 'moabench') importPlan(path, flags);
      else throw invalidArgument('moabench or published', '--to', flags.to);
      print(`wrote ${flags.out}\n`);
    });
}

function importPlan(path: string, flags: ConvertFlags): void {
  const published = readPublished(path);
  const model = shapeFor(published.alphas, flags);
  const { plan, tax } = importPublished(published, {
    name: basename(path, '.json'),
    model,
    lengths: flags.lengths ?? LENGTHS,
    source: path,
  });
  savePlan(flags.out, plan);
  if (model.heads === model.kvHeads) return;
  print(`${tax.disagree} of ${tax.groups} groups had different rules; the largest of each costs\n`);
  for (const [tokens, d] of Object.entries(tax.densities)) {
    const text = `  ${tokens.padStart(7)} tokens: density ${d.published.toFixed(4)} -> ${d.imported.toFixed(4)} (+${(d.increase * 100).toFixed(1)} points)\n`;
    print(text);
  }
}

function shapeFor(alphas: readonly (readonly number[])[], flags: ConvertFlags): Plan['model'] {
  if (flags.model !== undefined) {
    const { layers, heads, kvHeads, headDim } = modelConfig(flags.model);
    return { name: flags.model, weightsHash: null, layers, heads, kvHeads, headDim };
  }
  const heads = flags.heads ?? alphas[0]?.length ?? 1;
  return { name: 'imported', weightsHash: null, layers: alphas.length, heads, kvHeads: flags.kvHeads ?? heads, headDim: flags.headDim };
}

function lint(): Command {
  return new Command('lint')
    .description('Say what is odd about a plan; exit code 1 for errors')
    .argument('<plan>', 'plan file')
    .option('--model <folder>', 'model that the plan should fit')
    .option('--json', 'print findings as JSON', false)
    .addHelpText('after', '\nExample:\n  $ moabench plan lint plan.json --model bundled:reference')
    .action((path: string, flags: { readonly model?: string; readonly json: boolean }) => {
      const findings = lintPlan(loadPlan(path), flags.model === undefined ? {} : { model: modelConfig(flags.model) });
      if (flags.json) print(`${JSON.stringify(findings)}\n`);
      else if (findings.length === 0) print('nothing odd\n');
      else for (const f of findings) print(`${f.severity.padEnd(8)}${f.code.padEnd(20)}${f.message}\n`);
      process.exitCode = findings.some((f) => f.severity === 'error') ? EXIT.someFailed : EXIT.completed;
    });
}
