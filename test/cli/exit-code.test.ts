import { expect, test } from 'vitest';
import { EXIT, errorText, exitCodeOf } from '../../src/cli/exit-code.ts';
import { MoaError } from '../../src/core/errors.ts';

function abortError(): unknown {
  try {
    AbortSignal.abort().throwIfAborted();
  } catch (error) {
    return error;
  }
}

test.each([
  ['by a signal itself', abortError()],
  ['by a stage', new MoaError('Stopped on request', { code: 'ABORTED' })],
])('an abort thrown %s is one sentence and 130', (_, error) => {
  expect(errorText(error)).toBe('error: Stopped on request');
  expect(exitCodeOf(error)).toBe(EXIT.aborted);
});

test('an error has its hint on the next line; only an unexpected one has a stack', () => {
  expect(errorText(new MoaError('Expected a but received b', { code: 'NOT_FOUND', hint: 'Try c.' }))).toBe(
    'error: Expected a but received b\n  hint: Try c.',
  );
  expect(errorText(new Error('unexpected'))).toMatch(/unexpected\n +at /);
});

test('a refusal of the operating system that no stage has put into words is a sentence, without a stack', () => {
  const error = Object.assign(new Error('EROFS: read-only file system, open'), {
    errno: -30,
    code: 'EROFS',
    syscall: 'mkdir',
    path: 'runs/a',
  });
  expect(errorText(error)).toBe('error: Could not write runs/a: the file system is read-only\n  hint: Check the path and its permissions.');
});

test('what a file had instead is shown in the terminal, beside the message that is recorded', () => {
  const error = new MoaError('Expected JSON in a but received other text', { code: 'INVALID_FILE', found: '"x"', hint: 'Look at it.' });
  expect(errorText(error)).toBe('error: Expected JSON in a but received other text\n  found: "x"\n  hint: Look at it.');
});
