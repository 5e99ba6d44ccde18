import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ChatTemplate, renderChat } from '../../src/model/chat-template.ts';
import { REFERENCE } from './golden-model.ts';

function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'moabench-chat-'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

const MESSAGES = [
  { role: 'user', content: 'What is in line a-b?' },
  { role: 'assistant', content: '7' },
  { role: 'user', content: 'And c-d?' },
] as const;

describe('ChatTemplate', () => {
  test("renders the reference model's conversation format", () => {
    const model = { name: 'reference', chatTemplate: ChatTemplate.read(REFERENCE) };
    const turns = '<|bos|><|user|>\nWhat is in line a-b?<|end|>\n<|assistant|>\n7<|end|>\n<|user|>\nAnd c-d?<|end|>\n';
    expect(renderChat(model, MESSAGES, { addGenerationPrompt: true })).toBe(`${turns}<|assistant|>\n`);
    expect(renderChat(model, MESSAGES, { addGenerationPrompt: false })).toBe(turns);
  });

  test('passes on what the template itself rejects', () => {
    const model = { name: 'reference', chatTemplate: ChatTemplate.read(REFERENCE) };
    expect(() => renderChat(model, [{ role: 'system', content: 'x' }], { addGenerationPrompt: true })).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining('received system') }),
    );
  });

  test('prefers chat_template.jinja, then the template named default', () => {
    const config = JSON.stringify({
      bos_token: { content: '<s>' },
      chat_template: [
        { name: 'tool_use', template: 'no' },
        { name: 'default', template: '{{ bos_token }}config' },
      ],
    });
    const render = (files: Readonly<Record<string, string>>) =>
      ChatTemplate.read(folderWith(files))?.render([], { addGenerationPrompt: false });
    expect(render({ 'tokenizer_config.json': config })).toBe('<s>config');
    expect(render({ 'tokenizer_config.json': config, 'chat_template.jinja': '{{ bos_token }}file' })).toBe('<s>file');
    expect(render({})).toBeUndefined();
  });

  test('names a broken template, and a missing one', () => {
    const folder = folderWith({ 'chat_template.jinja': '{% for %}' });
    expect(() => ChatTemplate.read(folder)).toThrow(
      expect.objectContaining({ code: 'INVALID_FILE', message: expect.stringContaining(folder) }),
    );
    expect(() => renderChat({ name: 'm', chatTemplate: null }, MESSAGES, { addGenerationPrompt: true })).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED' }),
    );
  });
});
