import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadProse } from '../../src/data/prose.ts';
import { PRESETS } from '../../src/model/format/presets.ts';
import { userTurn } from '../../src/model/format/template/chat-template.ts';
import type { LanguageModel } from '../../src/model/inference/language-model.ts';
import { loadModel } from '../../src/model/load.ts';
import { addressed } from '../../src/run/sample-content.ts';
import { samplesOf } from '../../src/run/samples.ts';
import { timingPrompt } from '../../src/run/timing-prompt.ts';
import { expandCells, isQuality } from '../../src/suite/cells.ts';
import { suiteSchema } from '../../src/suite/schema.ts';
import { cpuBackend } from '../model/test-backends.ts';

const backend = cpuBackend();
const folder = mkdtempSync(join(tmpdir(), 'timing-prompt-'));
const models: LanguageModel[] = [];
beforeAll(() => {
  loadProse('eval');
});
afterAll(() => {
  for (const model of models) model.dispose();
  rmSync(folder, { recursive: true });
});

/** A tiny shape with a SentencePiece vocabulary, with a BOS before each text, and a template that writes none. */
async function modelWithBos(): Promise<LanguageModel> {
  const path = join(folder, 'bos');
  mkdirSync(path, { recursive: true });
  const tokenizer = join(import.meta.dirname, '../fixtures/tokenizers/sentencepiece-bpe.json');
  copyFileSync(tokenizer, join(path, 'tokenizer.json'));
  const { model } = JSON.parse(readFileSync(tokenizer, 'utf8'));
  writeFileSync(join(path, 'config.json'), JSON.stringify({ ...PRESETS.tiny, vocab_size: Object.keys(model.vocab).length }));
  writeFileSync(join(path, 'tokenizer_config.json'), JSON.stringify({ add_bos_token: true, bos_token: '<s>' }));
  writeFileSync(join(path, 'chat_template.jinja'), '[INST] {{ messages[0].content }} [/INST]');
  return load(`dummy:${path}`);
}
async function load(path: string): Promise<LanguageModel> {
  const model = await loadModel({ path, backend });
  models.push(model);
  return model;
}

describe('a prompt that is timed', () => {
  test('begins as one that is scored: with BOS and the chat template', async () => {
    const model = await modelWithBos();
    expect(model.tokenizer.promptPrefix).toHaveLength(1);
    const suite = suiteSchema.parse({
      version: 1,
      name: 'a',
      model: { path: 'm' },
      methods: [{ id: 'dense', method: 'dense' }],
      quality: { retrieval: { lengths: [384], samples: 1 } },
    });
    const [cell] = expandCells(suite).filter(isQuality);
    if (cell === undefined) throw new Error('the suite has a cell');
    const prompts = { tokenizer: model.tokenizer, wrapUser: userTurn(model) };
    const scored = [];
    for await (const { tokens } of addressed(samplesOf(cell, { suite, suiteFolder: '.', model: prompts }), model.tokenizer))
      scored.push(tokens);
    const beginning = (tokens: Int32Array | undefined) => [...(tokens ?? []).slice(0, 12)];
    expect(beginning(timingPrompt(model, { length: 256, seed: 'a' }))).toEqual(beginning(scored[0]));
  });

  test('has exactly the tokens that are asked for, the same for the same seed', async () => {
    const model = await modelWithBos();
    for (const length of [1, 200, 256, 300]) expect(timingPrompt(model, { length, seed: 'a' })).toHaveLength(length);
    expect(timingPrompt(model, { length: 300, seed: 'a' })).toEqual(timingPrompt(model, { length: 300, seed: 'a' }));
    expect(timingPrompt(model, { length: 300, seed: 'a' })).not.toEqual(timingPrompt(model, { length: 300, seed: 'b' }));
  });

  test('is made of random tokens of the vocabulary for a model without a tokenizer', async () => {
    const model = await load('dummy:tiny');
    const tokens = timingPrompt(model, { length: 600, seed: 'a' });
    expect(Math.max(...tokens)).toBeLessThan(model.config.vocabSize);
    expect(new Set(tokens).size).toBeGreaterThan(100);
  });
});
