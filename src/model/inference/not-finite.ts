import { MoaError } from '../../core/errors.ts';

/** The error for a model that computes NaN or infinity, from which no score may be made. `what` says where it was seen. */
export function notFinite(what: string, received: number): MoaError {
  return new MoaError(
    `Expected finite logits for ${what} but received ${received}: the model's weights or what it computes are not finite`,
    {
      code: 'INVALID_FILE',
      hint: 'The weights may hold NaN, or overflow in this dtype; try model.weightDType: f32, or fetch the checkpoint again.',
    },
  );
}
