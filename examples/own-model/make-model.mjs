// Writes int8/, a Hugging Face folder: the bundled model with every matrix rounded to 8 bits, each row with a scale of its own.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const bundled = fileURLToPath(new URL('models/reference/', import.meta.resolve('moabench/package.json')));
const folder = 'int8';
const LARGEST = 127;

/** The value of a bfloat16, and the bfloat16 nearest to a value (ties to even). */
const [float] = [new Float32Array(1)];
const bits = new Uint32Array(float.buffer);
function fromBf16(half) {
  bits[0] = half << 16;
  return float[0];
}
function toBf16(value) {
  float[0] = value;
  return (bits[0] + 0x7fff + ((bits[0] >>> 16) & 1)) >>> 16;
}

/** Rounds a row of bfloat16 to multiples of its largest magnitude / 127, in place. */
function roundRow(row) {
  const values = Array.from(row, fromBf16);
  const scale = Math.max(...values.map(Math.abs)) / LARGEST;
  if (scale > 0) for (const [i, value] of values.entries()) row[i] = toBf16(Math.round(value / scale) * scale);
}

// safetensors: 8 bytes with the header's length, the header (JSON), the data.
const file = readFileSync(join(bundled, 'model.safetensors'));
const dataStart = 8 + Number(file.readBigUInt64LE(0));
const data = new Uint16Array(new Uint8Array(file.subarray(dataStart)).buffer);
let matrices = 0;
for (const [name, { dtype, shape, data_offsets: offsets }] of Object.entries(JSON.parse(file.toString('utf8', 8, dataStart)))) {
  if (name === '__metadata__' || shape.length !== 2) continue;
  if (dtype !== 'BF16') throw new Error(`Expected BF16 for ${name} but received ${dtype}`);
  const [rows, columns] = shape;
  for (let row = 0; row < rows; row++) roundRow(data.subarray(offsets[0] / 2 + row * columns, offsets[0] / 2 + (row + 1) * columns));
  matrices++;
}

mkdirSync(folder, { recursive: true });
for (const name of ['config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json'])
  copyFileSync(join(bundled, name), join(folder, name));
writeFileSync(join(folder, 'model.safetensors'), Buffer.concat([file.subarray(0, dataStart), new Uint8Array(data.buffer)]));
console.log(`${folder}: ${matrices} matrices rounded to 8 bits`);
