import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MoaError } from '../../src/core/errors.ts';
import { Tokenizer } from '../../src/model/tokenizer.ts';
import { GOLDENS, REFERENCE } from './golden-model.ts';

interface TokenizerCase {
  readonly text: string;
  readonly ids: readonly number[];
  readonly decoded: string;
  readonly decodedWithSpecial: string;
}
const { cases } = JSON.parse(readFileSync(`${GOLDENS}reference-tokenizer.json`, 'utf8')) as { cases: readonly TokenizerCase[] };
const tokenizer = Tokenizer.read(REFERENCE);

describe('Tokenizer of the reference model', () => {
  test.each(cases)('equals the Python tokenizers on $text', ({ text, ids, decoded, decodedWithSpecial }) => {
    expect([...tokenizer.encode(text)]).toEqual(ids);
    expect(tokenizer.decode(ids)).toBe(decoded);
    expect(tokenizer.decode(ids, { skipSpecial: false })).toBe(decodedWithSpecial);
  });

  test('any text comes back, special tokens as well', () => {
    const text = fc
      .array(fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('<|end|>', '<|user|>', ' ', '\n', '42')))
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(text, (t) => {
        expect(tokenizer.decode(tokenizer.encode(t), { skipSpecial: false })).toBe(t);
      }),
      { numRuns: 200 },
    );
  });

  test('knows its size and its file', () => {
    expect(tokenizer.vocabSize).toBe(2048);
    expect(tokenizer.hash).toMatch(/^[0-9a-f]{64}$/);
  });

  test('rejects ids that are no token ids', () => {
    expect(() => tokenizer.decode([1.5])).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
    expect(() => tokenizer.decode([-1])).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });
});

describe('a bad tokenizer.json', () => {
  const good = readFileSync(`${REFERENCE}tokenizer.json`, 'utf8');
  const json = JSON.parse(good) as { model: { vocab: Record<string, number>; merges: unknown[] } };

  test.each([
    ['no JSON', '{', /t.json/],
    ['a list', '[]', /t.json/],
    ['no model', '{"added_tokens":[]}', /model/],
    ['an unknown model', JSON.stringify({ ...json, model: { ...json.model, type: 'Magic' } }), /for model.type/],
    ['a vocabulary of text', JSON.stringify({ ...json, model: { ...json.model, vocab: { a: 'b' } } }), /vocab/],
    ['negative ids', JSON.stringify({ ...json, model: { ...json.model, vocab: { a: -1 } } }), /vocab/],
    ['merges that are no list', JSON.stringify({ ...json, model: { ...json.model, merges: 3 } }), /t.json/],
    ['an unknown pre-tokenizer', JSON.stringify({ ...json, pre_tokenizer: { type: 'Magic' } }), /t.json/],
    [
      'a broken expression',
      JSON.stringify({ ...json, pre_tokenizer: { type: 'Split', pattern: { Regex: '(' }, behavior: 'Isolated' } }),
      /t.json/,
    ],
  ])('with %s gives INVALID_FILE', (_, text, message) => {
    expect(() => Tokenizer.parse(text, 't.json')).toThrow(
      expect.objectContaining({ code: 'INVALID_FILE', message: expect.stringMatching(message) }),
    );
  });

  test('of any content gives a tokenizer or a typed error', () => {
    const small = {
      version: '1.0',
      added_tokens: [],
      normalizer: null,
      pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false },
      post_processor: null,
      decoder: { type: 'ByteLevel' },
      model: { type: 'BPE', vocab: { a: 0, b: 1, ab: 2 }, merges: ['a b'] },
    };
    const change = fc.dictionary(fc.constantFrom(...Object.keys(small)), fc.jsonValue(), { maxKeys: 2 });
    const model = fc.dictionary(fc.constantFrom('type', 'vocab', 'merges', 'unk_token'), fc.jsonValue(), { maxKeys: 2 });
    fc.assert(
      fc.property(change, model, (top, inner) => {
        try {
          const made = Tokenizer.parse(JSON.stringify({ ...small, model: { ...small.model, ...inner }, ...top }), 't.json');
          made.decode(made.encode('ab 12 ba'));
        } catch (error) {
          expect(error).toBeInstanceOf(MoaError);
          expect((error as MoaError).message).toContain('t.json');
        }
      }),
      { numRuns: 300 },
    );
  });
});
