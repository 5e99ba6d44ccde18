import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readModelConfig } from '../../../src/model/format/config.ts';
import { modelFile, readModelText } from '../../../src/model/format/model-files.ts';
import { ChatTemplate } from '../../../src/model/format/template/chat-template.ts';
import { Tokenizer } from '../../../src/model/format/tokenizer/tokenizer.ts';
import { checkpointFiles } from '../../../src/model/format/weights/checkpoint.ts';
import { errorOf } from '../../error-of.ts';

const newFolder = () => mkdtempSync(join(tmpdir(), 'moabench-files-'));
const SECRET = 'root:x:0:0:root';

describe('files of a model folder', () => {
  const outside = join(newFolder(), 'passwd');
  writeFileSync(outside, SECRET);

  test.each<[string, (folder: string) => unknown]>([
    ['config.json', readModelConfig],
    ['tokenizer.json', Tokenizer.read],
    ['tokenizer_config.json', ChatTemplate.read],
    ['special_tokens_map.json', (folder) => ChatTemplate.read(withTemplate(folder))],
    ['chat_template.jinja', ChatTemplate.read],
    ['model.safetensors', checkpointFiles],
    ['model.safetensors.index.json', checkpointFiles],
  ])('refuses %s that is a link out of it, and quotes nothing', (name, read) => {
    const folder = newFolder();
    symlinkSync(outside, join(folder, name));
    const error = errorOf(() => read(folder));
    expect(error).toMatchObject({ code: 'INVALID_FILE', message: expect.stringContaining(`${name} in the model folder`) });
    expect(error.message).not.toContain('root');
  });

  test('refuses a shard that is a link out of it', () => {
    const folder = newFolder();
    symlinkSync(outside, join(folder, 'a.safetensors'));
    writeFileSync(join(folder, 'model.safetensors.index.json'), '{"weight_map":{"x":"a.safetensors"}}');
    expect(errorOf(() => checkpointFiles(folder)).message).toContain('a.safetensors in the model folder');
  });

  test('follows links within it, and a link to it', () => {
    const folder = newFolder();
    writeFileSync(join(folder, 'real.jinja'), 'hello');
    symlinkSync('real.jinja', join(folder, 'chat_template.jinja'));
    expect(readModelText(folder, 'chat_template.jinja')).toBe('hello');
    const link = join(newFolder(), 'model');
    symlinkSync(folder, link);
    expect(readModelText(link, 'chat_template.jinja')).toBe('hello');
    expect(modelFile(folder, 'config.json')).toBeNull();
  });

  test("follows the links of Hugging Face's cache, and no others beside them", () => {
    const cache = newFolder();
    const snapshot = join(cache, 'snapshots', 'abc');
    mkdirSync(snapshot, { recursive: true });
    mkdirSync(join(cache, 'blobs'));
    for (const blob of ['a'.repeat(40), 'b'.repeat(64), 'notes.txt']) writeFileSync(join(cache, 'blobs', blob), blob);
    symlinkSync(`../../blobs/${'a'.repeat(40)}`, join(snapshot, 'chat_template.jinja'));
    symlinkSync(`../../blobs/${'b'.repeat(64)}`, join(snapshot, 'config.json'));
    symlinkSync('../../blobs/notes.txt', join(snapshot, 'tokenizer.json'));
    expect(readModelText(snapshot, 'chat_template.jinja')).toBe('a'.repeat(40));
    expect(readModelText(snapshot, 'config.json')).toBe('b'.repeat(64));
    expect(() => readModelText(snapshot, 'tokenizer.json')).toThrow(expect.objectContaining({ code: 'INVALID_FILE' }));
  });

  test('refuses pipes, and more than a file of its kind can have', () => {
    const folder = newFolder();
    execFileSync('mkfifo', [join(folder, 'tokenizer.json')]);
    expect(errorOf(() => Tokenizer.read(folder)).message).toMatch(/regular file/);
    writeFileSync(join(folder, 'config.json'), `{"a":"${'x'.repeat(2 ** 20)}"}`);
    expect(errorOf(() => readModelConfig(folder)).message).toMatch(/at most 1048576 bytes/);
  });
});

function withTemplate(folder: string): string {
  writeFileSync(join(folder, 'chat_template.jinja'), 'hello');
  return folder;
}
