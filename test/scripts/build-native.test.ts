import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');

/** A package with the build script, and a PATH that holds only programs that note how they were called. */
function sandbox(tools: readonly string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'moabench-build-'));
  mkdirSync(join(folder, 'native'));
  mkdirSync(join(folder, 'bin'));
  cpSync(join(ROOT, 'scripts/build-native.mjs'), join(folder, 'scripts/build-native.mjs'));
  for (const name of tools) {
    writeFileSync(join(folder, 'bin', name), CONFIGURES);
    chmodSync(join(folder, 'bin', name), 0o755);
  }
  const calls = join(folder, 'calls');
  return (...args: string[]) => {
    writeFileSync(calls, '');
    const env = { PATH: join(folder, 'bin'), CALLS: calls };
    const { status, stderr } = spawnSync(process.execPath, [join(folder, 'scripts/build-native.mjs'), ...args], { encoding: 'utf8', env });
    const configured = /-S .*/.exec(existsSync(calls) ? readFileSync(calls, 'utf8') : '')?.[0] ?? null;
    return { status, stderr, configured };
  };
}

/** Stands for any tool; as CMake it keeps what it was told in a cache. Only what the shell itself has. */
const CONFIGURES = `#!/bin/sh
[ "$1" = -S ] || exit 0
echo "$*" >> "$CALLS"
cd "$4" 2>/dev/null || { /bin/mkdir -p "$4"; cd "$4"; }
: > Makefile; : > CMakeCache.txt
for option in "$@"; do case $option in -D*) option=\${option#-D}; echo "\${option%%=*}:STRING=\${option#*=}" >> CMakeCache.txt;; esac; done
`;

test('without CMake and a compiler it says what is missing and how to install it', () => {
  expect(sandbox([])()).toEqual({
    status: 1,
    stderr: expect.stringMatching(
      /^Expected CMake \(3\.20 or newer\) and a C\+\+20 compiler for the native build but found none: install with `.+`, then build again\.\n$/,
    ),
    configured: null,
  });
  expect(sandbox(['cmake'])().stderr).toMatch(/^Expected a C\+\+20 compiler for the native build/);
});

test('it configures once, and again when something else is asked for', () => {
  const build = sandbox(['cmake', 'c++']);
  expect(build()).toMatchObject({ status: 0, stderr: '', configured: expect.stringContaining('-DMOABENCH_CUDA=AUTO') });
  expect(build().configured).toBeNull();
  expect(build('--cuda', 'off').configured).toContain('-DMOABENCH_CUDA=OFF');
});

test('own kernels are named by their whole paths, and configured for', () => {
  const build = sandbox(['cmake', 'c++']);
  expect(build('--kernel', 'a/rms_norm.cc', '--kernel', '/b/rope.cc').configured).toContain(
    `-DMOABENCH_OWN_KERNELS=${join(process.cwd(), 'a/rms_norm.cc')};/b/rope.cc`,
  );
});

test('where nvcc is, it says why the build takes longer', () => {
  const build = sandbox(['cmake', 'c++', 'nvcc']);
  expect(build().stderr).toContain('nvcc is here: the CUDA kernels are built too');
  expect(build('--cuda', 'off').stderr).toBe('');
});

test('an unknown --cuda is refused', () => {
  expect(sandbox([])('--cuda', 'yes')).toMatchObject({
    status: 1,
    stderr: 'Expected one of auto, on, off, wheels for --cuda but received yes\n',
  });
});
