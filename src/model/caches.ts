import { describe, invalidArgument, MoaError } from '../core/errors.ts';
import { BYTES_PER_ELEMENT, type CachePolicy, type FloatDType, type KvCache } from '../native/backend.ts';
import type { LanguageModel } from './language-model.ts';

/** `static`: sink and ring per head, sized from spans; `dense`: every token, preallocated; `dynamic`: grows by concatenation, as DynamicCache. */
export type CacheKind = 'static' | 'dense' | 'dynamic';
/** Slots per [layer][kvHead]: sink + window, multiples of 64. */
export type Spans = Int32Array;

/** Slots come in blocks of this many tokens. */
const BLOCK_TOKENS = 64;
const DEFAULT_SINK_TOKENS = 64;

const POLICIES: Readonly<Record<CacheKind, CachePolicy>> = { static: 'ring', dense: 'full', dynamic: 'grow' };

interface SequenceSpec {
  /** Required for `static`, not allowed otherwise. */
  readonly spans?: Spans;
  /** Prompt and new tokens together. */
  readonly maxTokens: number;
}

export interface CacheOptions {
  readonly kind: CacheKind;
  readonly sequences: readonly SequenceSpec[];
  /** Tokens at the start that are never evicted, a multiple of 64; 64 when left out. */
  readonly sink?: number;
  /** Storage of keys and values; the activations' dtype when left out. */
  readonly dtype?: FloatDType;
}

/** A KV cache for sequences of known sizes. @throws MoaError INVALID_ARGUMENT, OUT_OF_MEMORY; UNSUPPORTED past a model's sliding window. */
export function createCache(model: LanguageModel, options: CacheOptions): ModelCache {
  const { config } = model;
  const heads = config.layers * config.kvHeads;
  options.sequences.forEach((s, i) => {
    checkSequence(s, { index: i, heads, options, model });
  });
  // A sequence within one block has no room for a sink and a window, and needs no eviction: all of it is window.
  const isShort = options.sequences.every((s) => s.maxTokens <= BLOCK_TOKENS);
  const sink = options.kind !== 'static' || isShort ? 0 : (options.sink ?? DEFAULT_SINK_TOKENS);
  const capacities = capacitiesOf(options, { heads, sink });
  const kv = model.backend.kvCache({
    policy: POLICIES[options.kind],
    sequences: options.sequences.length,
    layers: config.layers,
    kvHeads: config.kvHeads,
    headDim: config.headDim,
    dtype: options.dtype ?? model.activationDType,
    sink,
    capacities,
  });
  return new ModelCache(model, options.kind, kv);
}

function checkSequence(
  sequence: SequenceSpec,
  at: { readonly index: number; readonly heads: number; readonly options: CacheOptions; readonly model: LanguageModel },
): void {
  const name = `sequences[${at.index}]`;
  const { spans, maxTokens } = sequence;
  if (!Number.isInteger(maxTokens) || maxTokens < 1) throw invalidArgument('a positive integer', `${name}.maxTokens`, maxTokens);
  if ((spans !== undefined) !== (at.options.kind === 'static')) {
    throw invalidArgument(
      at.options.kind === 'static' ? 'spans' : `no spans with a ${at.options.kind} cache`,
      `${name}.spans`,
      spans && [...spans],
    );
  }
  if (spans !== undefined && spans.length !== at.heads)
    throw invalidArgument(`${at.heads} spans (layers x kvHeads)`, `${name}.spans`, spans.length);
  checkWindow(at.model, maxTokens);
}

/** @throws MoaError UNSUPPORTED when a sequence of this many tokens would see a sliding window. */
export function checkWindow(model: LanguageModel, tokens: number): void {
  const { slidingWindow } = model.config;
  if (slidingWindow === null || tokens <= slidingWindow) return;
  throw new MoaError(`Expected at most ${slidingWindow} tokens for ${model.name} (its sliding window) but received ${tokens}`, {
    code: 'UNSUPPORTED',
    hint: 'The model was trained with a sliding window, which is not supported beyond its length; use shorter sequences or a checkpoint without one.',
  });
}

function capacitiesOf(options: CacheOptions, at: { readonly heads: number; readonly sink: number }): Int32Array {
  if (options.kind === 'dynamic') return new Int32Array(0);
  const capacities = new Int32Array(options.sequences.length * at.heads);
  options.sequences.forEach((sequence, s) => {
    const row = capacities.subarray(s * at.heads, (s + 1) * at.heads);
    if (sequence.spans === undefined) row.fill(BLOCK_TOKENS * Math.ceil(sequence.maxTokens / BLOCK_TOKENS));
    else row.set(sequence.spans);
    const bad = row.find((c) => c % BLOCK_TOKENS !== 0 || c <= at.sink);
    if (bad !== undefined) throw invalidArgument(`multiples of ${BLOCK_TOKENS} above the sink (${at.sink})`, `sequences[${s}].spans`, bad);
  });
  return capacities;
}

/** A backend's cache with what the model's code knows about it on the host: kind, lengths enqueued so far, expected residence. */
export class ModelCache {
  readonly kv: KvCache;
  readonly kind: CacheKind;
  readonly #model: LanguageModel;
  readonly #lengths: Int32Array;

  constructor(model: LanguageModel, kind: CacheKind, kv: KvCache) {
    this.#model = model;
    this.kind = kind;
    this.kv = kv;
    this.#lengths = new Int32Array(kv.spec.sequences);
  }

  /** Tokens of a sequence after everything enqueued. */
  length(sequence: number): number {
    const length = this.#lengths[sequence];
    if (length === undefined) throw invalidArgument(`a sequence below ${this.#lengths.length}`, 'sequence', sequence);
    return length;
  }

  /** Enqueues the advance that ends a chunk or a step. */
  advance(sequences: Int32Array, counts: Int32Array): void {
    this.#model.backend.cacheAdvance({ cache: this.kv, sequences, counts });
    sequences.forEach((s, i) => {
      const length = this.length(s) + (counts[i] ?? 0);
      checkWindow(this.#model, length);
      this.#lengths[s] = length;
    });
  }

  /** Bytes that the specification implies per [layer][kvHead], summed over sequences. */
  expectedBytesPerHead(): Float64Array {
    const { layers, kvHeads, sequences, headDim, dtype, capacities } = this.kv.spec;
    const heads = layers * kvHeads;
    const slotBytes = 2 * headDim * BYTES_PER_ELEMENT[dtype];
    const expected = new Float64Array(heads);
    for (let s = 0; s < sequences; s++) {
      for (let h = 0; h < heads; h++) {
        const slots = this.kind === 'dynamic' ? (this.#lengths[s] ?? 0) : (capacities[s * heads + h] ?? 0);
        expected[h] = (expected[h] ?? 0) + slots * slotBytes;
      }
    }
    return expected;
  }

  /**
   * Checks that what the allocator gave is exactly what the spans (or lengths) imply, per layer and head, and in total what the caller
   * expects. Await the stream before, for a dynamic cache. @throws MoaError INTERNAL.
   */
  assertResident(expectedTotal?: number): void {
    const expected = this.expectedBytesPerHead();
    const actual = this.kv.residentBytesPerHead();
    const wrong = expected.findIndex((bytes, h) => bytes !== actual[h]);
    const at = `layer ${Math.floor(wrong / this.kv.spec.kvHeads)}, KV head ${wrong % this.kv.spec.kvHeads}`;
    if (wrong >= 0) throw residence(`${expected[wrong]} resident KV bytes for ${at}`, actual[wrong]);
    const total = expected.reduce((a, b) => a + b, 0);
    if (this.kv.residentBytes !== total) throw residence(`${total} resident KV bytes for the ${this.kind} cache`, this.kv.residentBytes);
    if (expectedTotal !== undefined && expectedTotal !== total)
      throw residence(`${expectedTotal} KV bytes (the plan's) for the ${this.kind} cache`, total);
  }

  dispose(): void {
    this.kv.dispose();
  }
}

function residence(what: string, received: unknown): MoaError {
  return new MoaError(`Expected ${what} but received ${describe(received)}`, {
    code: 'INTERNAL',
    hint: 'The cache does not hold what the plan says, so no figure of this run would be comparable. Please report this.',
  });
}
