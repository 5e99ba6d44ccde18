import type { Command } from 'commander';
import { MoaError } from '../core/errors.ts';

/**
 * Refuses options that were given but would have no effect. `names`: the options as property names (`influenceSamples`). `because`: a clause with the
 * reason (`--model is not there`).
 */
export function refuseOptions(command: Command, names: readonly string[], because: string): void {
  const given = names.find((name) => command.getOptionValueSource(name) === 'cli');
  if (given === undefined) return;
  const flag = command.options.find((option) => option.attributeName() === given)?.long ?? given;
  throw new MoaError(`Expected no ${flag}, as ${because}`, {
    code: 'INVALID_ARGUMENT',
    hint: `\`moabench ${command.name()} --help\` says what goes together.`,
  });
}
