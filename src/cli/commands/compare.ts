import { Command, InvalidArgumentError } from 'commander';
import { writeFileAtomic } from '../../core/files.ts';
import { DEFAULT_RULES } from '../../summary/compare/rules.ts';
import { VERDICT_EXIT } from '../exit-code.ts';
import { print } from '../output.ts';
import { requireRunFolder } from './report.ts';

interface CompareFlags {
  readonly margin: number;
  readonly slower: number;
  readonly map?: ReadonlyMap<string, string>;
  readonly json: boolean;
  readonly markdown?: string;
  readonly html?: string;
}

/** moabench compare: says where the second run is better than the first, as good, or worse, and gives CI an exit code. */
export function compareCommand(): Command {
  return new Command('compare')
    .description('Compare two run folders: quality on the same samples, speed on the same machine class, memory')
    .argument('<base>', 'run folder to compare with, such as one of the main branch')
    .argument('<head>', 'run folder that is judged')
    .option('--margin <share>', 'largest loss of a score, or of perplexity, that counts as none', share, DEFAULT_RULES.margin)
    .option('--slower <share>', 'least slow-down that is a regression', share, DEFAULT_RULES.slower)
    .option('--map <base=head>', 'pair a method that was renamed; may be repeated', renaming)
    .option('--json', 'print the comparison as JSON', false)
    .option('--markdown <file>', 'write it as Markdown, for a comment or a job summary')
    .option('--html <file>', 'write it as one offline page')
    .addHelpText(
      'after',
      `
Verdicts:
  better      a gain is established
  same        a loss beyond the margin, or a slow-down beyond the threshold, is ruled out
  worse       a loss is established: a regression
  undecided   neither is shown; more samples or processes decide it
  not judged  the two did not measure the same, as times of different machines

Exit codes: 0 same or better, 2 bad folder or arguments, 3 regression, 4 undecided, 5 not comparable.

Examples:
  $ moabench compare runs/main runs/pull-request
  $ moabench compare runs/main runs/pull-request --margin 0.02 --markdown "$GITHUB_STEP_SUMMARY" --html comparison.html
  $ moabench compare runs/old runs/new --map moa-50=elastic-50 --json`,
    )
    .action(async (base: string, head: string, flags: CompareFlags) => {
      for (const folder of [base, head]) requireRunFolder(folder);
      const { compareFolders } = await import('../../run/compare-folders.ts');
      const { margin, slower } = flags;
      const comparison = compareFolders({ base, head, rules: { margin, slower }, renamed: flags.map ?? new Map() });
      if (flags.markdown !== undefined) {
        const { comparisonMarkdown } = await import('../../report/compare-markdown.ts');
        writeFileAtomic(flags.markdown, comparisonMarkdown(comparison));
      }
      if (flags.html !== undefined) {
        const { comparisonPage } = await import('../../report/html/compare-page.ts');
        writeFileAtomic(flags.html, comparisonPage(comparison));
      }
      const { comparisonText } = await import('../../report/compare-text.ts');
      print(flags.json ? `${JSON.stringify(comparison)}\n` : `${comparisonText(comparison)}\n`);
      process.exitCode = VERDICT_EXIT[comparison.verdict];
    });
}

/** A share in (0, 1). */
function share(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value > 0 && value < 1))
    throw new InvalidArgumentError(`Expected a share between 0 and 1, such as 0.05, but received ${text}.`);
  return value;
}

/** Adds one `base=head` pair of a repeated option to the pairs before it: method id in the base run -> method id in the head run. */
function renaming(text: string, before: ReadonlyMap<string, string> | undefined): ReadonlyMap<string, string> {
  const [base, head, ...more] = text.split('=');
  if (!base || !head || more.length > 0 || before?.has(base))
    throw new InvalidArgumentError(`Expected base=head with the ids of a method in both runs, each once, but received ${text}.`);
  return new Map([...(before ?? []), [base, head]]);
}
