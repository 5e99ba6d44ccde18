import type { LanguageModel } from '../../src/model/inference/language-model.ts';
import type { FloatDType } from '../../src/native/backend.ts';
import { type CacheLayout, wholeLayout } from '../../src/plan/cache-layout.ts';

interface Storage {
  readonly kind?: 'full' | 'dynamic';
  readonly dtype?: FloatDType;
}

/** The layout of a sequence that keeps everything, in the activations' dtype unless told otherwise. */
export function whole(model: LanguageModel, tokens: number, { kind = 'full', dtype = model.activationDType }: Storage = {}): CacheLayout {
  return wholeLayout(model.config, { tokens, dtype, kind });
}

/** A layout by hand, with slots per [layer][kvHead] in f32. */
export function spanned(
  model: LanguageModel,
  spans: readonly number[],
  { tokens, sink = 64 }: { readonly tokens: number; readonly sink?: number },
): CacheLayout {
  const { headDim } = model.config;
  const bytes = spans.reduce((sum, span) => sum + span, 0) * 2 * headDim * 4;
  return { kind: 'ring', dtype: 'f32', sink, spans: Int32Array.from(spans), tokens, headDim, bytes };
}
