import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { shellCommand } from '../../src/cli/shell-command.ts';

test('plain arguments stay as they are', () => {
  expect(shellCommand(['moabench', 'run', 'suites/quick.yaml', '--only', 'plan'])).toBe('moabench run suites/quick.yaml --only plan');
});

test('a shell takes out what was put in', () => {
  const args = ['my suite.yaml', 'retrieval*', "it's", '$HOME', '`id`', 'a"b\\', '', 'line\nbreak', '~', '#', 'a;b&c|d>e'];
  expect(execFileSync('sh', ['-c', `printf '%s\\0' ${shellCommand(args)}`], { encoding: 'utf8' }).split('\0')).toEqual([...args, '']);
});
