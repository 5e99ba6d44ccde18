// The rooms of native/cuda: what the head of a source says, and what a header may hold.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const FOLDER = 'native/cuda';
const ROOMS = ['cache', 'decode', 'device', 'gradient', 'host', 'prefill', 'rows'];
const files = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' });
const sources = files.filter((file) => file.endsWith('.cu'));
const headers = files.filter((file) => file.endsWith('.h'));
const read = (file: string): string => readFileSync(`${FOLDER}/${file}`, 'utf8');
const headOf = (file: string): readonly string[] => /^(\/\/.*\n)*/.exec(read(file))?.[0].split('\n').filter(Boolean) ?? [];

test('every file is in a room, but for the table and what CMake reads', () => {
  const outside = files.filter((file) => !file.includes('/') && !ROOMS.includes(file));
  expect(outside.sort()).toEqual(['cuda.cmake', 'kernels.json']);
});

describe('a source', () => {
  test.each(sources)('%s begins with what it computes, and names the record that measured its kernels', (file) => {
    const head = headOf(file).filter((line) => !line.startsWith('// Measured: '));
    expect(head.length).toBeGreaterThan(0);
    const record = /^\/\/ Measured: (.*)$/m.exec(read(file))?.[1];
    const launches = /__global__|<<<|cudaLaunchKernel/.test(read(file));
    expect(record !== undefined && existsSync(record)).toBe(launches);
  });

  test('names the record that the table has for its kernels', () => {
    const table = JSON.parse(readFileSync(`${FOLDER}/kernels.json`, 'utf8')) as { kernels: { measured?: { record: string } | null }[] };
    const ofTable = new Set(table.kernels.flatMap(({ measured }) => measured?.record ?? []));
    const ofHeads = new Set(sources.flatMap((file) => /^\/\/ Measured: (.*)$/m.exec(read(file))?.[1] ?? []));
    expect([...ofHeads].filter((record) => !ofTable.has(record))).toEqual([]);
  });
});

test.each(headers)('%s can be read by a C++ compiler: what needs nvcc is a .cuh', (file) => {
  expect(read(file)).not.toMatch(/__device__|__global__|__shared__|<<<|\.cuh"/);
});
