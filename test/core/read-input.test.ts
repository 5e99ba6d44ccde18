import { execFileSync } from 'node:child_process';
import { mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type InputLine, inputLines, inputLinesAsync } from '../../src/core/input-lines.ts';
import { insidePath } from '../../src/core/inside.ts';
import { readCompressedInput, readInput, readInputText } from '../../src/core/read-input.ts';
import { errorOf } from '../error-of.ts';

const folder = mkdtempSync(join(tmpdir(), 'input-'));
const at = (name: string): string => join(folder, name);
const options = { what: 'a plan', maxBytes: 100_000 };
let server: Server;
beforeAll(async () => {
  execFileSync('mkfifo', [at('fifo')]);
  symlinkSync('/dev/zero', at('to-zero'));
  writeFileSync(at('text'), 'one\n\ntwo\nthree');
  symlinkSync('text', at('link'));
  server = createServer();
  await new Promise<void>((done) => {
    server.listen(at('socket'), done);
  });
});
afterAll(() => server.close());

describe('readInput', () => {
  it.each([
    ['fifo', 'a named pipe'],
    ['to-zero', 'a device'],
  ])('refuses %s at once', (name, kind) => {
    expect(errorOf(() => readInput(at(name), options))).toMatchObject({
      code: 'INVALID_FILE',
      message: `Expected a plan in a regular file for ${at(name)} but received ${kind}`,
      hint: 'Copy its content into a file and name that.',
    });
  });

  it('says of a folder, a socket and a missing file what they are', () => {
    expect(errorOf(() => readInput(folder, options))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: `Could not read ${folder}: it is a folder`,
    });
    expect(errorOf(() => readInput(at('socket'), options)).message).toContain(at('socket'));
    expect(errorOf(() => readInput(at('none'), options))).toMatchObject({ code: 'NOT_FOUND' });
    expect(errorOf(() => readInput(at('a\0b'), options)).message).toMatch(/^Could not read /);
  });

  it('refuses what is larger than its limit, whatever its size is said to be', () => {
    writeFileSync(at('large'), Buffer.alloc(100_001));
    expect(errorOf(() => readInput(at('large'), options)).message).toBe(
      `Expected a plan of at most 100000 bytes in ${at('large')} but received 100001 or more`,
    );
    expect(readInput('/proc/self/status', options).length).toBeGreaterThan(100);
    expect(errorOf(() => readInput('/proc/self/status', { ...options, maxBytes: 100 })).message).toContain('of at most 100 bytes');
  });

  it('follows links unless it is told not to', () => {
    expect(readInputText(at('link'), options)).toBe('one\n\ntwo\nthree');
    expect(errorOf(() => readInputText(at('link'), { ...options, links: 'refuse' }))).toMatchObject({
      code: 'IO',
      message: `Could not read ${at('link')}: it is a symbolic link that is not followed`,
    });
  });

  it('gives text without a byte order mark, and refuses what is not UTF-8', () => {
    writeFileSync(at('bom'), '\ufeff{}');
    expect(readInputText(at('bom'), options)).toBe('{}');
    writeFileSync(at('latin'), Buffer.from([0x66, 0xfc, 0x72]));
    expect(errorOf(() => readInputText(at('latin'), options)).message).toBe(`Expected UTF-8 for ${at('latin')} but received other bytes`);
  });
});

describe('inputLines', () => {
  const limits = { ...options, maxLineBytes: 70_000, maxLines: 4 };
  const texts = [
    { number: 1, bytes: Buffer.from('one'), start: 0, whole: true },
    { number: 2, bytes: Buffer.alloc(0), start: 4, whole: true },
    { number: 3, bytes: Buffer.from('two'), start: 5, whole: true },
    { number: 4, bytes: Buffer.from('three'), start: 9, whole: false },
  ];

  it('gives lines with their place, and says that the last has no newline', async () => {
    expect([...inputLines(at('text'), limits)]).toEqual(texts);
    const found: InputLine[] = [];
    for await (const line of inputLinesAsync(at('text'), limits)) found.push(line);
    expect(found).toEqual(texts);
  });

  it('joins a line over the pieces of a file', () => {
    const long = 'x'.repeat(69_000);
    writeFileSync(at('long'), `a\n${long}\nb\n`);
    expect(Array.from(inputLines(at('long'), limits), ({ bytes, start }) => [bytes.toString(), start])).toEqual([
      ['a', 0],
      [long, 2],
      ['b', 69_003],
    ]);
  });

  it('bounds the file, each line and how many there are', () => {
    writeFileSync(at('one-line'), `a\n${'x'.repeat(70_001)}`);
    expect(errorOf(() => [...inputLines(at('one-line'), limits)]).message).toBe(
      `Expected a line of at most 70000 bytes for ${at('one-line')}:2 but received a longer one`,
    );
    writeFileSync(at('empty-lines'), '\n'.repeat(5));
    expect(errorOf(() => [...inputLines(at('empty-lines'), limits)]).message).toBe(
      `Expected at most 4 lines for ${at('empty-lines')} but received more`,
    );
    writeFileSync(at('large'), Buffer.alloc(100_001, 10));
    expect(errorOf(() => [...inputLines(at('large'), limits)]).message).toContain('of at most 100000 bytes');
    expect(errorOf(() => [...inputLines(at('fifo'), limits)]).message).toContain('a named pipe');
  });
});

describe('insidePath', () => {
  it('refuses a link anywhere below the folder, and lets what is not there pass', () => {
    symlinkSync('/tmp', at('plans'));
    expect(errorOf(() => insidePath(folder, 'plans/a.json'))).toMatchObject({
      code: 'INVALID_FILE',
      message: `Expected no symbolic link inside ${folder} but received one for ${at('plans')}`,
    });
    expect(errorOf(() => insidePath(folder, 'link')).message).toContain(at('link'));
    expect(insidePath(folder, 'new/a.json')).toBe(at('new/a.json'));
    expect(insidePath(folder, 'text')).toBe(at('text'));
  });

  it.each(['../a', 'a/../../b', '/etc/passwd'])('refuses %s, which leads out', (path) => {
    expect(errorOf(() => insidePath(folder, path))).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

describe('readCompressedInput', () => {
  const packed = (name: string, bytes: Uint8Array): string => {
    writeFileSync(at(name), bytes);
    return at(name);
  };

  it('gives what was compressed, up to the limit on what it unpacks to', () => {
    expect(readCompressedInput(packed('whole.gz', gzipSync('x'.repeat(100_000))), options)).toHaveLength(100_000);
    expect(errorOf(() => readCompressedInput(packed('larger.gz', gzipSync('x'.repeat(100_001))), options))).toMatchObject({
      code: 'INVALID_FILE',
      message: `Expected a plan of at most 100000 bytes in ${at('larger.gz')} but received 100001 or more`,
    });
  });

  it('stops unpacking at the limit, and does not look at what comes after it', () => {
    const cut = gzipSync(Buffer.alloc(2 ** 20)).subarray(0, -100);
    expect(errorOf(() => readCompressedInput(packed('bomb.gz', cut), options))).toMatchObject({
      message: expect.stringContaining('of at most 100000 bytes'),
    });
  });

  it.each([
    ['cut off', gzipSync('x'.repeat(1000)).subarray(0, 20)],
    ['changed', gzipSync('x'.repeat(1000)).fill(1, 12, 16)],
    ['plain', Buffer.from('{}')],
    ['empty', Buffer.alloc(0)],
  ])('says of a file that is %s that it does not unpack', (name, bytes) => {
    const path = packed(`${name}.gz`, bytes);
    expect(errorOf(() => readCompressedInput(path, options))).toMatchObject({
      code: 'INVALID_FILE',
      message: `Expected a plan that gzip compressed in ${path} but received bytes that do not unpack`,
    });
  });
});
