import { BLOCK_TOKENS } from '../../core/blocks.ts';
import { describe, invalidArgument, MoaError } from '../../core/errors.ts';
import type { CachePolicy, KvCache } from '../../native/backend.ts';
import { type CacheLayout, slotBytes } from '../../plan/cache-layout.ts';
import type { LanguageModel } from './language-model.ts';

/**
 * A KV cache with one sequence per layout. The sequences of a cache share kind, dtype and sink.
 * @throws MoaError INVALID_ARGUMENT, OUT_OF_MEMORY; UNSUPPORTED past a model's sliding window.
 */
export function createCache(model: LanguageModel, layouts: readonly CacheLayout[]): ModelCache {
  const { layers, kvHeads, headDim } = model.config;
  const [first] = layouts;
  if (first === undefined) throw invalidArgument('at least one layout', 'layouts', []);
  layouts.forEach((layout, i) => {
    checkLayout(model, layout, `layouts[${i}]`);
    checkShared(layout, first, `layouts[${i}]`);
  });
  const kv = model.backend.kvCache({
    policy: first.kind,
    sequences: layouts.length,
    layers,
    kvHeads,
    headDim,
    dtype: first.dtype,
    sink: first.sink,
    capacities: first.kind === 'dynamic' ? new Int32Array(0) : Int32Array.from(layouts.flatMap(({ spans }) => [...spans])),
  });
  return new ModelCache(model, layouts, kv);
}

/** Whether two sequences can be in one cache, which has one kind, one dtype and one sink. */
export function canShareCache(a: CacheLayout, b: CacheLayout): boolean {
  return SHARED.every((field) => a[field] === b[field]);
}

const SHARED = ['kind', 'dtype', 'sink'] as const;

function checkShared(layout: CacheLayout, first: CacheLayout, name: string): void {
  const field = SHARED.find((f) => layout[f] !== first[f]);
  if (field === undefined) return;
  throw new MoaError(
    `Expected ${describe(first[field])}, as the first sequence has, for ${name}.${field} but received ${describe(layout[field])}`,
    {
      code: 'INVALID_ARGUMENT',
      hint: 'The sequences of one cache share its kind, dtype and sink; run this sequence in a batch of its own.',
    },
  );
}

function checkLayout(model: LanguageModel, layout: CacheLayout, name: string): void {
  const { layers, kvHeads, headDim } = model.config;
  const { kind, tokens, sink, spans } = layout;
  if (!Number.isInteger(tokens) || tokens < 1) throw invalidArgument('a positive integer', `${name}.tokens`, tokens);
  if (layout.headDim !== headDim) throw invalidArgument(`the model's head dim ${headDim}`, `${name}.headDim`, layout.headDim);
  if (spans.length !== layers * kvHeads)
    throw invalidArgument(`${layers * kvHeads} spans (layers x kvHeads)`, `${name}.spans`, spans.length);
  if (kind !== 'ring' && sink !== 0) throw invalidArgument(`0 for a ${kind} cache`, `${name}.sink`, sink);
  const bad = kind === 'dynamic' ? undefined : spans.find((span) => span % BLOCK_TOKENS !== 0 || span <= sink);
  if (bad !== undefined) throw invalidArgument(`multiples of ${BLOCK_TOKENS} above the sink (${sink})`, `${name}.spans`, bad);
  checkWindow(model, tokens);
}

/** @throws MoaError UNSUPPORTED when a sequence of this many tokens is longer than the model's sliding window. */
export function checkWindow(model: LanguageModel, tokens: number): void {
  const { slidingWindow } = model.config;
  if (slidingWindow === null || tokens <= slidingWindow) return;
  throw new MoaError(`Expected at most ${slidingWindow} tokens for ${model.name} (its sliding window) but received ${tokens}`, {
    code: 'UNSUPPORTED',
    hint: 'The model was trained with a sliding window, which is not supported beyond its length; use shorter sequences or a checkpoint without one.',
  });
}

/** A backend's cache with what the model's code knows about it on the host: the layouts that it was made for, and lengths enqueued so far. */
export class ModelCache {
  readonly kv: KvCache;
  readonly layouts: readonly CacheLayout[];
  readonly #model: LanguageModel;
  readonly #lengths: Int32Array;

  constructor(model: LanguageModel, layouts: readonly CacheLayout[], kv: KvCache) {
    this.#model = model;
    this.layouts = layouts;
    this.kv = kv;
    this.#lengths = new Int32Array(layouts.length);
  }

  get kind(): CachePolicy {
    return this.layouts[0]?.kind ?? 'full';
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

  /** Enqueues emptying of a sequence; its slots stay. */
  reset(sequence: number): void {
    this.length(sequence); // refuses a sequence that the cache does not have
    this.kv.reset(sequence);
    this.#lengths[sequence] = 0;
  }

  /** Bytes that the layouts imply for one sequence now, per [layer][kvHead]: all slots, or what a growing cache has been given. */
  plannedBytesPerHead(sequence: number): Float64Array {
    const layout = this.layouts[sequence];
    if (layout === undefined) throw invalidArgument(`a sequence below ${this.layouts.length}`, 'sequence', sequence);
    return Float64Array.from(layout.spans, (span) => (layout.kind === 'dynamic' ? this.length(sequence) : span) * slotBytes(layout));
  }

  /**
   * Checks that the backend's cache is the one that the layouts describe: its policy, dtype and sink, the slots of every sequence and head,
   * and the bytes that the allocator gave per head and in total. For a dynamic cache, await the stream before. @throws MoaError INTERNAL.
   */
  assertResident(): void {
    this.#assertSpec();
    const planned = new Float64Array(this.layouts[0]?.spans.length ?? 0);
    this.layouts.forEach((_, s) => {
      this.plannedBytesPerHead(s).forEach((bytes, h) => {
        planned[h] = (planned[h] ?? 0) + bytes;
      });
    });
    const actual = this.kv.residentBytesPerHead();
    const wrong = planned.findIndex((bytes, h) => bytes !== actual[h]);
    if (wrong >= 0) throw residence(`${planned[wrong]} resident KV bytes for ${this.#headName(wrong)}`, actual[wrong]);
    const total = planned.reduce((a, b) => a + b, 0);
    if (this.kv.residentBytes !== total) throw residence(`${total} resident KV bytes for the ${this.kind} cache`, this.kv.residentBytes);
  }

  #assertSpec(): void {
    const { spec } = this.kv;
    this.layouts.forEach(({ kind, dtype, sink, spans }, s) => {
      if (spec.policy !== kind) throw residence(`the policy ${kind} for the cache`, spec.policy);
      if (spec.dtype !== dtype) throw residence(`${dtype} for the storage of keys and values`, spec.dtype);
      if (spec.sink !== sink) throw residence(`a sink of ${sink} tokens for sequence ${s}`, spec.sink);
      if (kind === 'dynamic') return;
      const wrong = spans.findIndex((span, h) => spec.capacities[s * spans.length + h] !== span);
      if (wrong < 0) return;
      throw residence(`${spans[wrong]} slots for sequence ${s}, ${this.#headName(wrong)}`, spec.capacities[s * spans.length + wrong]);
    });
  }

  #headName(head: number): string {
    const { kvHeads } = this.#model.config;
    return `layer ${Math.floor(head / kvHeads)}, KV head ${head % kvHeads}`;
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
