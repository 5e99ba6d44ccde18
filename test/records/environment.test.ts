import { spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { captureEnvironment, environmentSchema } from '../../src/records/environment.ts';
import { describeWith } from '../needs.ts';

const ROOT = join(import.meta.dirname, '../..');
const backend = { name: 'cpu', description: 'test', details: { threads: 2 } };

describe('captureEnvironment', () => {
  it('describes this machine and checkout', () => {
    const environment = captureEnvironment({ root: ROOT, backend });
    expect(environmentSchema.parse(JSON.parse(JSON.stringify(environment)))).toEqual(environment);
    expect(environment.cpu.usableCores).toBeGreaterThan(0);
    expect(environment.memory.totalBytes).toBeGreaterThan(2 ** 20);
    expect(environment.node).toBe(process.version);
    expect(environment.packages.zod).toMatch(/^\d/);
  });

  const git = spawnSync('git', ['-C', ROOT, 'rev-parse', 'HEAD']).status === 0;
  describeWith({ what: 'a git checkout', found: git, how: 'install git, clone the repository' })('of a checkout', () => {
    it('names the commit', () => {
      expect(captureEnvironment({ root: ROOT, backend }).git?.commit).toMatch(/^[0-9a-f]{40}$/);
    });
  });

  it('knows nothing of the code outside a checkout', () => {
    const root = mkdtempSync(join(tmpdir(), 'environment-'));
    writeFileSync(join(root, 'package.json'), '{"version":"9.9.9"}');
    const time = new Date('2025-03-01T12:00:00Z');
    expect(captureEnvironment({ root, backend, time })).toMatchObject({
      git: null,
      moabench: '9.9.9',
      packages: {},
      time: '2025-03-01T12:00:00.000Z',
    });
  });

  it('takes no variable that could hold a secret', () => {
    process.env.SECRET_TOKEN_OF_TEST = 'hunter2';
    expect(JSON.stringify(captureEnvironment({ root: '/nowhere', backend }))).not.toContain('hunter2');
  });
});
