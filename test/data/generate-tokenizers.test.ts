import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import { generateSamples } from '../../src/data/generate.ts';
import { loadProse } from '../../src/data/prose.ts';
import { TASK_NAMES } from '../../src/data/tasks.ts';
import { Tokenizer } from '../../src/model/format/tokenizer/tokenizer.ts';

/** Kinds of tokenizer that real models have (scripts/golden/make_small_tokenizers.py). */
const KINDS = ['sentencepiece-bpe', 'byte-level-bpe', 'unigram', 'wordpiece'] as const;
const TARGET = 600;
const SEEDS = 3;

beforeAll(() => {
  loadProse('eval');
  loadProse('calibration');
});

const tokenizers = new Map<string, Tokenizer>();
function tokenizerOf(kind: string): Tokenizer {
  const path = fileURLToPath(new URL(`../fixtures/tokenizers/${kind}.json`, import.meta.url));
  const text = (): string => (existsSync(path) ? readFileSync(path, 'utf8') : gunzipSync(readFileSync(`${path}.gz`)).toString('utf8'));
  const tokenizer = tokenizers.get(kind) ?? Tokenizer.parse(text(), kind);
  tokenizers.set(kind, tokenizer);
  return tokenizer;
}

describe.each(KINDS)('%s', (kind) => {
  test.each(TASK_NAMES)('%s fits its length within a few builds', (task) => {
    const tokenizer = tokenizerOf(kind);
    let whole = 0;
    const counting = {
      encode: (text: string) => {
        if (text.startsWith('[INST] ') && text !== '[INST]  [/INST]') whole++;
        return tokenizer.encode(text);
      },
    };
    const wrapUser = (user: string): string => `[INST] ${user} [/INST]`;
    for (let seed = 0; seed < SEEDS; seed++) {
      const [sample] = [...generateSamples({ task, targetTokens: TARGET, count: 1, seed, tokenizer: counting, wrapUser })];
      const { prompt, promptTokens } = sample as NonNullable<typeof sample>;
      expect(promptTokens).toBe(tokenizer.encode(prompt).length);
      expect([seed, promptTokens <= TARGET && promptTokens >= 0.98 * TARGET]).toEqual([seed, true]);
    }
    // Prompts encoded whole: the estimate's error shows in how often a text is built again.
    expect(whole).toBeLessThanOrEqual(3 * SEEDS);
  });
});
