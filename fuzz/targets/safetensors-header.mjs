// The header of a safetensors file: what it accepts tiles the file.
import { headerLength, PREFIX_BYTES, parseHeader } from '../../dist/model/format/weights/safetensors-header.js';
import { orRefused } from './only-moa-errors.mjs';

const SOURCE = 'model.safetensors';

function expectTiled(entries, begin, end) {
  for (const entry of entries) {
    if (entry.begin !== begin) throw new Error(`A tensor at ${entry.begin} where the one before it ends at ${begin}`);
    begin = entry.end;
  }
  if (begin !== end) throw new Error(`Tensors that end at ${begin} of ${end} bytes`);
}

/** Bytes of a whole file. The header is also read without its length, which random changes seldom keep. */
export function fuzz(data) {
  const fileBytes = data.length;
  const whole = orRefused(() => {
    const end = PREFIX_BYTES + headerLength(data.subarray(0, PREFIX_BYTES), fileBytes, SOURCE);
    const entries = parseHeader(data.subarray(PREFIX_BYTES, end), fileBytes, SOURCE);
    expectTiled(entries, end, fileBytes);
    return entries;
  });
  const brace = data.lastIndexOf('}') + 1;
  const header = data.subarray(PREFIX_BYTES, Math.max(brace, PREFIX_BYTES));
  const loose = orRefused(() => parseHeader(header, PREFIX_BYTES + header.length + 64, SOURCE));
  return whole ?? loose;
}
