import { MoaError } from '../src/core/errors.ts';

/** The MoaError that a call throws; any other error is thrown on, and none is an error. */
export function errorOf(call: () => unknown): MoaError {
  try {
    call();
  } catch (error) {
    if (error instanceof MoaError) return error;
    throw error;
  }
  throw new Error('Expected an error');
}
