import { expect, test } from 'vitest';
import { scripts } from './kernel-scripts.ts';

function codeOf(opcodes: readonly number[]) {
  const code = Buffer.alloc(16 * opcodes.length);
  for (const [i, opcode] of opcodes.entries()) code.writeUInt16LE(0x7000 | opcode, 16 * i); // 7 in the bits above: predicate PT
  return code;
}

test('counts an operation in all of its operand forms', () => {
  expect(scripts.countOpcodes(codeOf([0x9f0, 0xdf0, 0x387, 0x987, 0x983, 0x944, 0x343, 0x344]))).toEqual({
    ...{ HGMMA: 2, STL: 2, LDL: 1, 'CALL.ABS': 1, 'CALL.REL': 2 },
  });
});

test('leaves out all other operations', () => {
  // FFMA, LDG, STG, LDS, STS, MUFU, SHFL, NOP, EXIT, BRA, RET
  expect(scripts.countOpcodes(codeOf([0x223, 0x981, 0x986, 0x984, 0x388, 0x308, 0xf89, 0x918, 0x94d, 0x947, 0x950]))).toEqual({});
});
