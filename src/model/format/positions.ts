import type { ModelConfig } from './config.ts';

export interface Positions {
  /** The longest sequence that the model was made for, in tokens. */
  readonly tokens: number;
  /** Where the number comes from, in the words of config.json. */
  readonly from: string;
}

/**
 * The positions that a model reaches with its RoPE scaling. Linear and dynamic scaling stretch max_position_embeddings by their factor,
 * and YaRN stretches the original length by its own. Llama 3's scaling leaves max_position_embeddings as it is: that is the stretched length.
 */
export function positionsOf({ maxPositions, ropeScaling: scaling }: ModelConfig): Positions {
  switch (scaling?.kind) {
    case undefined:
    case 'llama3':
      return { tokens: maxPositions, from: 'max_position_embeddings' };
    case 'linear':
    case 'dynamic':
      return {
        tokens: Math.floor(maxPositions * scaling.factor),
        from: `max_position_embeddings ${maxPositions} times the factor ${scaling.factor} of ${scaling.kind} scaling`,
      };
    case 'yarn':
      return {
        tokens: Math.floor(scaling.originalMaxPositions * scaling.factor),
        from: `original_max_position_embeddings ${scaling.originalMaxPositions} times the factor ${scaling.factor} of yarn scaling`,
      };
  }
}
