import { contentHash, sha256 } from '../core/hash.ts';
import { promptIds, type Sample, type TokenCounter } from '../data/sample.ts';

/** A sample as the model gets it, with its address. */
export interface AddressedSample {
  readonly sample: Sample;
  /** Token ids of the prompt. */
  readonly tokens: Int32Array;
  /** Hash of everything in the sample that decides its score. Model, plan and the file it was read from are not part of it. */
  readonly content: string;
}

/** The samples with their addresses. Equal samples get different addresses, because each of them is asked for and each is scored. */
export async function* addressed(samples: AsyncIterable<Sample>, tokenizer: TokenCounter): AsyncIterable<AddressedSample> {
  const seen = new Map<string, number>();
  for await (const sample of samples) {
    const tokens = Int32Array.from(promptIds(tokenizer, sample.prompt));
    const once = sampleContent(sample, tokens);
    const before = seen.get(once) ?? 0;
    seen.set(once, before + 1);
    yield { sample, tokens, content: before === 0 ? once : contentHash({ once, before }) };
  }
}

function sampleContent(sample: Sample, tokens: Int32Array): string {
  const { answers, completion, allClasses, metric, firstLineOnly, maxNewTokens } = sample;
  const prompt = sha256(new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength));
  return contentHash({ prompt, answers, completion, allClasses, metric, firstLineOnly, maxNewTokens });
}
