// scripts/kernels/check.mjs and update.mjs over libraries of the fixture's kernels.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { libraryOf, probeFatbin, withText } from './kernel-scripts.ts';

const RECORD = 'reports/bench/2026-11-24';
const MMA = 'probe_mma_kernel<unsigned short, 2, true>';
let folder: string;
let library: string;
let table: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'moabench-kernels-'));
  library = join(folder, 'libprobe.so');
  table = join(folder, 'kernels.json');
  writeFileSync(library, libraryOf(probeFatbin()));
});
afterEach(() => rmSync(folder, { recursive: true }));

function run(script: string, ...options: string[]) {
  const args = [`scripts/kernels/${script}.mjs`, '--library', library, '--table', table, ...options];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  return { status, lines: `${stdout}${stderr}`.replaceAll(`${folder}/`, '').trimEnd().split('\n') };
}

function edit(change: (text: string) => string) {
  writeFileSync(table, change(readFileSync(table, 'utf8')));
}

const GOOD = 'kernels: 6 kernels of libprobe.so (nvcc release 13.0, V13.0.88) are as they should be';
const HINT = 'kernels: if that is meant, run `node scripts/kernels/update.mjs` and commit the table';

test('a library passes with the table made of it, one kernel a line', () => {
  expect(run('update', '--measured', RECORD)).toEqual({ status: 0, lines: ['kernels: wrote 6 kernels to kernels.json'] });
  expect(run('check')).toEqual({ status: 0, lines: [GOOD] });
  const lines = readFileSync(table, 'utf8').split('\n');
  expect(lines.length).toBe(12);
  expect(JSON.parse(lines[8] ?? '')).toEqual({
    ...{ arch: 'sm_90a', name: 'probe_wgmma_kernel', registers: 34, stackBytes: 0, sharedBytes: 128 },
    ...{ opcodes: { HGMMA: 2, WARPGROUP: 2, UBLKCP: 1 }, hash: '1738b27f6cc4d42f' },
    ...{ measured: { record: RECORD, hash: '1738b27f6cc4d42f' }, symbol: '_Z18probe_wgmma_kernelPKmPKjPf' },
  });
});

test('a kernel whose file has another name keeps the record of its code', () => {
  run('update', '--measured', RECORD);
  edit((text) => text.replaceAll('"_Z18probe_wgmma_kernel', '"_Z18other_place_kernel'));
  run('update');
  expect(run('check')).toEqual({ status: 0, lines: [GOOD] });
});

test('says what changed, what came and what went', () => {
  run('update', '--measured', RECORD);
  edit((text) => {
    const [head, ...rows] = text.replace('"registers":34', '"registers":40').replace('"LDSM":1', '"LDSM":2').split('\n    ');
    const gone = rows[0]?.replaceAll('probe_local_kernel', 'other_kernel');
    return [head, gone, ...rows.slice(1)].join('\n    ');
  });
  expect(run('check')).toEqual({
    status: 1,
    lines: [
      'kernels: differences from kernels.json',
      '  sm_80 probe_local_kernel: added',
      `  sm_80 ${MMA}: LDSM 2 -> 1`,
      '  sm_90a probe_wgmma_kernel: registers 40 -> 34',
      '  sm_80 other_kernel: removed',
      HINT,
    ],
  });
});

test('lists kernels that no record has timed since their code changed', () => {
  run('update', '--measured', RECORD);
  edit((text) => text.replaceAll('1738b27f6cc4d42f', '0000000000000000'));
  const changed = `  probe_wgmma_kernel (changed since ${RECORD})`;
  expect(run('check')).toEqual({ status: 0, lines: ['kernels: unmeasured: no GPU record has timed this code', changed, GOOD] });
  run('update');
  expect(run('check')).toEqual({ status: 0, lines: ['kernels: unmeasured: no GPU record has timed this code', changed, GOOD] });
  rmSync(table);
  run('update');
  expect(run('check').lines).toContain('  probe_wgmma_kernel (never measured)');
});

test('hot kernels with local memory fail whatever the table says', () => {
  writeFileSync(library, withText(libraryOf(probeFatbin()), 'probe_local_kernel', 'gemm_mma_xx_kernel'));
  run('update', '--measured', RECORD);
  const { status, lines } = run('check');
  expect(status).toBe(1);
  expect(lines).toContain('  sm_80 gemm_mma_xx_kernel: hot, but it uses local memory (1 loads, 1 stores)');
});

test('code of another compiler is not compared', () => {
  run('update');
  edit((text) => text.replace('V13.0.88', 'V13.1.20').replace('"registers":34', '"registers":40'));
  expect(run('check')).toEqual({
    status: 0,
    lines: ['kernels: code not compared: the table is of nvcc release 13.0, V13.1.20, the library of release 13.0, V13.0.88', GOOD],
  });
});

test("ptxas's advice about lost performance fails", () => {
  run('update', '--measured', RECORD);
  const log = join(folder, 'cuda.log');
  const advice = (kernel: string) =>
    `ptxas info    : (C7511) Potential Performance Loss: wgmma.mma_async instructions are serialized due to insufficient register resources for the wgmma pipeline in the function '${kernel}'`;
  const line = advice('_Z18probe_wgmma_kernelPKmPKjPf');
  writeFileSync(log, `[1/2] Building CUDA object probe.cu.o\nptxas info    : Used 34 registers\n${line}\n${line}\n`);
  expect(run('check', '--log', log)).toEqual({
    status: 1,
    lines: ['kernels: advice of ptxas in cuda.log', `  ${advice('probe_wgmma_kernel')}`],
  });
  writeFileSync(log, '[1/2] Building CUDA object probe.cu.o\n');
  expect(run('check', '--log', log)).toEqual({ status: 0, lines: [GOOD] });
});

test('says why nothing was checked', () => {
  rmSync(library);
  for (const script of ['check', 'update']) {
    const { status, lines } = run(script);
    expect(status).toBe(0);
    expect(lines.join('\n')).toMatch(/^kernels: .*libprobe\.so is not built(: run `npm run build:native`| and nvcc is not installed)$/);
  }
});

test('a missing table and a record that does not exist are errors', () => {
  expect(run('check')).toEqual({
    status: 1,
    lines: ['kernels: expected kernels.json but found none: write it with `node scripts/kernels/update.mjs`'],
  });
  expect(run('update', '--measured', 'reports/none')).toEqual({
    status: 2,
    lines: ['Expected a folder under reports/ for --measured but received reports/none'],
  });
});
