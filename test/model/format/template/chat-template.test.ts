import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type ChatMessage, ChatTemplate, renderChat, type TemplateSettings } from '../../../../src/model/format/template/chat-template.ts';
import { renderTemplate } from '../../../../src/model/format/template/interpreter.ts';
import { strftime } from '../../../../src/model/format/template/strftime.ts';
import { parseTemplate } from '../../../../src/model/format/template/tree.ts';
import { GOLDENS, REFERENCE } from '../../golden-model.ts';

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

interface TemplateGolden {
  readonly messages: readonly ChatMessage[];
  readonly variables: Readonly<Record<string, unknown>>;
  readonly date: string;
  /** null: Python raises an error. */
  readonly templates: readonly { readonly template: string; readonly rendered: string | null }[];
  readonly dates: readonly { readonly date: string; readonly fields: Readonly<Record<string, string>> }[];
}
const golden = JSON.parse(readFileSync(`${GOLDENS}templates.json`, 'utf8')) as TemplateGolden;

describe('templates as transformers renders them', () => {
  const render = (template: string): string | null => {
    const date = new Date(`${golden.date}Z`);
    const variables = { ...golden.variables, messages: golden.messages, add_generation_prompt: true };
    try {
      return renderTemplate(parseTemplate(template), variables, (format) => strftime(date, format));
    } catch {
      return null;
    }
  };

  test.each(golden.templates)('$template', ({ template, rendered }) => {
    expect(render(template)).toBe(rendered);
  });

  test.each(golden.dates)("the codes of Python's strftime on $date", ({ date, fields }) => {
    const own = Object.keys(fields).map((code) => [code, strftime(new Date(`${date}Z`), `%${code}`)]);
    expect(Object.fromEntries(own)).toEqual(fields);
  });

  test('refuses date codes that Python does not have', () => {
    expect(() => strftime(new Date(0), '%Q')).toThrow('%Q');
  });
});

describe('a chat template with settings', () => {
  const folder = (template: string, more: Readonly<Record<string, string>> = {}) =>
    folderWith({ 'chat_template.jinja': template, ...more });
  const text = (template: string, settings?: TemplateSettings) =>
    ChatTemplate.read(folder(template), settings)?.render([], { addGenerationPrompt: false });

  test('has the date that it is given, and says that it used it', () => {
    const template = "{{ strftime_now('%A %d %B %Y') }}";
    expect(text(template, { date: '2026-11-28' })).toBe('Saturday 28 November 2026');
    expect(ChatTemplate.read(folder(template), { date: '2026-11-28' })?.facts).toMatchObject({ usesDate: true, date: '2026-11-28' });
    expect(ChatTemplate.read(folder('no date'), { date: '2026-11-28' })?.facts).toMatchObject({ usesDate: false, date: null });
    expect(() => text(template)).toThrow(expect.objectContaining({ message: expect.stringMatching(/Expected a date/) }));
    expect(() => text(template, { date: 'today' })).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });

  test('reads the variables that it is given, and refuses those that it does not read', () => {
    const template = '{% if enable_thinking is defined and not enable_thinking %}<think></think>{% endif %}{{ messages|length }}';
    expect(text(template, { variables: { enable_thinking: false } })).toBe('<think></think>0');
    expect(text(template)).toBe('0');
    for (const name of ['enable_thinkin', 'messages']) {
      expect(() => text(template, { variables: { [name]: false } })).toThrow(
        expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(name) }),
      );
    }
  });

  test('has a hash over its text and the special tokens that it sees', () => {
    const hash = (template: string, bos: string) =>
      ChatTemplate.read(folder(template, { 'special_tokens_map.json': JSON.stringify({ bos_token: { content: bos } }) }))?.facts.hash;
    expect(hash('{{ bos_token }}', '<s>')).toBe(hash('{{ bos_token }}', '<s>'));
    expect(hash('{{ bos_token }}', '<t>')).not.toBe(hash('{{ bos_token }}', '<s>'));
    expect(hash('{{ bos_token }} ', '<s>')).not.toBe(hash('{{ bos_token }}', '<s>'));
  });

  test('sees a BOS that only special_tokens_map.json names', () => {
    const at = folder('{{ bos_token }}', { 'tokenizer_config.json': '{}', 'special_tokens_map.json': '{"bos_token":"<s>"}' });
    expect(ChatTemplate.read(at)?.render([], { addGenerationPrompt: false })).toBe('<s>');
  });

  test.each([
    ['a long loop', 300, '{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}', /within|time/],
    ['a huge range', 20_000, '{{ range(3000000000)|length }}', /range of more than 100000/],
    [
      'text that doubles',
      20_000,
      "{% set n = namespace(t='aaaa') %}{% for i in range(60) %}{% set n.t = n.t ~ n.t %}{% endfor %}",
      /characters/,
    ],
    [
      'lists that double',
      20_000,
      '{% set n = namespace(t=[1]) %}{% for i in range(60) %}{% set n.t = n.t + n.t %}{% endfor %}',
      /list items/,
    ],
    ['nesting without end', 300, '('.repeat(1e5), /failed|within/],
  ])('is stopped with %s', (_, renderMs, template, message) => {
    const source = template.startsWith('(') ? `{{ ${template} }}` : template;
    expect(() => text(source, { renderMs })).toThrow(expect.objectContaining({ message: expect.stringMatching(message) }));
  });
});
