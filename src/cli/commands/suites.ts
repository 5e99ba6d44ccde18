import { Command } from 'commander';
import { bundledSuites } from '../../suite/bundled.ts';
import { loadSuite } from '../../suite/load.ts';
import { print } from '../output.ts';

/** moabench suites: the suites that come with the package. */
export function suitesCommand(): Command {
  return new Command('suites')
    .description('List the suites that come with moabench; `moabench run <name>` runs one in any folder')
    .option('--json', 'as JSON', false)
    .action((flags: { json: boolean }) => {
      const suites = bundledSuites().map((name) => {
        const { suite, path } = loadSuite(name);
        return { name, backend: suite.backend.name, model: suite.model.path, description: suite.description ?? '', path };
      });
      if (flags.json) print(`${JSON.stringify(suites)}\n`);
      else for (const { name, backend, description } of suites) print(`${name.padEnd(18)} ${backend.padEnd(5)} ${description}\n`);
    });
}
