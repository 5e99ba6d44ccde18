import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MoaError } from '../../../../src/core/errors.ts';
import { Tokenizer } from '../../../../src/model/format/tokenizer/tokenizer.ts';
import { checkTokenizerParts } from '../../../../src/model/format/tokenizer/tokenizer-limits.ts';
import { GOLDENS, REFERENCE } from '../../golden-model.ts';

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

interface PromptCase {
  readonly prompt: string;
  readonly answer: string;
  readonly promptIds: readonly number[];
  readonly answerIds: readonly number[] | null;
}

interface PromptGolden {
  readonly cases: readonly PromptCase[];
  readonly withBos: { readonly text: string; readonly ids: readonly number[] } | null;
}

describe.each(['sentencepiece-legacy', 'sentencepiece-first', 'bos-in-map', 'byte-level-bos', 'byte-level-plain'])(
  'a tokenizer of the kind %s',
  (kind) => {
    const golden = JSON.parse(readFileSync(`${GOLDENS}tokenizers/${kind}/golden.json`, 'utf8')) as PromptGolden;
    const own = Tokenizer.read(`${GOLDENS}tokenizers/${kind}`);

    test.each(golden.cases)('gives the ids of transformers for $prompt and what follows it', ({ prompt, answer, promptIds, answerIds }) => {
      expect([...own.encodePrompt(prompt)]).toEqual(promptIds);
      const continuation = [...own.encodeContinuation(prompt, answer)];
      if (answerIds !== null) expect(continuation).toEqual(answerIds);
      const words = (text: string) => text.trim();
      expect(words(own.decode([...promptIds, ...continuation]))).toBe(words(prompt + answer));
    });

    test('never puts a second BOS before a text that has one', () => {
      const text = golden.withBos?.text ?? 'Hello';
      expect([...own.encodePrompt(text)]).toEqual(golden.withBos?.ids ?? [...own.encode(text)]);
    });
  },
);

test('add_bos_token counts where tokenizer.json says nothing of it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'moabench-tokenizer-'));
  const json = JSON.parse(readFileSync(`${GOLDENS}tokenizers/byte-level-bos/tokenizer.json`, 'utf8')) as object;
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify({ ...json, post_processor: null }));
  writeFileSync(join(folder, 'special_tokens_map.json'), JSON.stringify({ bos_token: { content: '<|begin|>' } }));
  const prefixWith = (config: object) => {
    writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify(config));
    return Tokenizer.read(folder).promptPrefix;
  };
  expect(prefixWith({ add_bos_token: true })).toEqual([0]);
  expect(prefixWith({ add_bos_token: false })).toEqual([]);
  expect(prefixWith({})).toEqual([]);
});

describe('a hostile tokenizer.json', () => {
  const good = JSON.parse(readFileSync(`${GOLDENS}tokenizers/byte-level-plain/tokenizer.json`, 'utf8')) as object;
  const withPart = (part: object) => JSON.stringify({ ...good, ...part });
  const split = (regex: string) => ({ type: 'Split', pattern: { Regex: regex }, behavior: 'Isolated', invert: false });
  const replace = (content: string) => ({ type: 'Replace', pattern: { String: 'a' }, content });

  test('whose expression backtracks without end is stopped', () => {
    const tokenizer = Tokenizer.parse(withPart({ pre_tokenizer: split('(x+x+)+y') }), 't.json', { textMs: 100 });
    expect(() => tokenizer.encode('x'.repeat(60))).toThrow(
      expect.objectContaining({ code: 'INVALID_FILE', message: expect.stringMatching(/t\.json.*within 0\.1\d* s/) }),
    );
    expect(tokenizer.encode('short').length).toBeGreaterThan(0);
  });

  test.each([
    ['long replacements', { normalizer: replace('a'.repeat(100)) }, /longer/],
    ['replacements of replacements', { normalizer: { type: 'Sequence', normalizers: Array(10).fill(replace('aa')) } }, /longer/],
    ['a long prefix', { normalizer: { type: 'Prepend', prepend: 'a'.repeat(1e6) } }, /longer/],
    ['a decoder that grows', { decoder: replace('a'.repeat(100)) }, /longer/],
    ['a huge expression', { pre_tokenizer: split('a|'.repeat(1e5)) }, /patterns of at most/],
    ['parts nested without end', { normalizer: nested(1000) }, /nested/],
    ['an id beyond 32 bits', { added_tokens: [{ id: 2 ** 32 + 5, content: '<x>' }] }, /4294967301/],
    ['an id beyond any model', { model: { type: 'BPE', vocab: { a: 2 ** 31 }, merges: [] } }, /2147483648/],
  ])('with %s is refused', (_, part, message) => {
    expect(() => Tokenizer.parse(withPart(part), 't.json')).toThrow(
      expect.objectContaining({ code: 'INVALID_FILE', message: expect.stringMatching(message) }),
    );
  });

  test.each([
    [
      'Unigram',
      {
        type: 'Unigram',
        unk_id: 5,
        vocab: [
          ['a', -1],
          ['b', -2],
        ],
      },
    ],
    ['WordLevel', { type: 'WordLevel', unk_token: '<unk>', vocab: { a: 0, b: 1 } }],
  ])('whose unknown token is outside its %s vocabulary is told', (_, model) => {
    const tokenizer = Tokenizer.parse(
      withPart({ model, added_tokens: [], post_processor: null, pre_tokenizer: null, decoder: null }),
      't.json',
    );
    expect(() => tokenizer.encode('?')).toThrow(
      expect.objectContaining({ code: 'INVALID_FILE', message: expect.stringMatching(/below 2 from t\.json/) }),
    );
  });

  test('is timed only when its expressions are not known ones', () => {
    const isPlain = (text: string) => checkTokenizerParts(JSON.parse(text), 't.json').isPlain;
    expect(isPlain(readFileSync(`${GOLDENS}tokenizers/byte-level-bos/tokenizer.json`, 'utf8'))).toBe(true);
    expect(isPlain(readFileSync(`${GOLDENS}tokenizers/sentencepiece-legacy/tokenizer.json`, 'utf8'))).toBe(true);
    expect(isPlain(readFileSync(`${REFERENCE}tokenizer.json`, 'utf8'))).toBe(true);
    expect(isPlain(withPart({ pre_tokenizer: split('(x+x+)+y') }))).toBe(false);
  });
});

function nested(depth: number): object {
  let part: object = { type: 'NFC' };
  for (let i = 0; i < depth; i++) part = { type: 'Sequence', normalizers: [part] };
  return part;
}
