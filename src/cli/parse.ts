import { InvalidArgumentError } from 'commander';

/** A positive integer option. */
export function integer(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError(`Expected a positive integer but received ${text}.`);
  return value;
}

/** A number above 0. */
export function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError(`Expected a number above 0 but received ${text}.`);
  return value;
}

/** A share above 0, at most 1. */
export function share(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 1)) throw new InvalidArgumentError(`Expected a number above 0 and at most 1 but received ${text}.`);
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
