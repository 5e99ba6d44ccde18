import { InvalidArgumentError } from 'commander';

/** A positive integer option. */
export function integer(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError(`Expected a positive integer but received ${text}.`);
  return value;
}

/** The number of a device, from 0. */
export function deviceIndex(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < 0)
    throw new InvalidArgumentError(`Expected an integer of at least 0 but received ${text}.`);
  return value;
}

/** Collects positive integers of a repeated or variadic option. */
export function integers(text: string, before: readonly number[] | undefined): readonly number[] {
  return [...(before ?? []), ...text.split(',').map(integer)];
}
