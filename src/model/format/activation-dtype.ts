import { invalidArgument, MoaError } from '../../core/errors.ts';
import type { Backend, FloatDType } from '../../native/backend.ts';

export interface ActivationChoice {
  readonly backend: Backend;
  /** Dtype of the weight matrices. */
  readonly weightDType: FloatDType;
  readonly asked?: FloatDType | undefined;
}

/**
 * The dtype of activations: the one that is asked for; else that of the weights where the backend takes 16-bit activations, and f32 where
 * it does not. With that of the weights, both operands of a matrix product have one dtype, as tensor cores need. f32 activations with
 * 16-bit weights are slower and more exact.
 * @throws MoaError UNSUPPORTED when the backend cannot, INVALID_ARGUMENT for a 16-bit dtype that is not the weights'.
 */
export function chooseActivationDType({ backend, weightDType, asked }: ActivationChoice): FloatDType {
  const { halfActivations } = backend.traits;
  if (asked === undefined) return halfActivations ? weightDType : 'f32';
  if (asked === 'f32') return asked;
  if (!halfActivations) {
    throw new MoaError(`Expected f32 for activationDType on ${backend.name} but received ${asked}`, {
      code: 'UNSUPPORTED',
      hint: 'Leave the dtype of activations out, or choose a backend with 16-bit activations (cuda).',
    });
  }
  if (asked !== weightDType) {
    throw invalidArgument(
      `f32 or the dtype of the weights, ${weightDType},`,
      'activationDType',
      asked,
      'Set the dtype of the weights to the same: a matrix product takes two operands of one 16-bit dtype.',
    );
  }
  return asked;
}
