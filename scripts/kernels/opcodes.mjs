// Counts machine instructions without a disassembler. From Volta on, an instruction has 128 bits, and its lowest 12 bits are the opcode: 9 bits of
// operation and 3 bits of operand form (register, immediate, constant, uniform register). The form is ignored here, because one operation has
// several: HGMMA is 0x9f0 with A in shared memory and 0xdf0 with A in registers; STL is 0x387 or 0x987. The numbers were found by compiling kernels
// with known counts (nvcc 13.0, sm_80 and sm_90a).
import { viewOf } from './elf.mjs';

const INSTRUCTION_BYTES = 16;
const OPERATION_MASK = 0x1ff;

// The operations that the table records: those of the matrix units, those that bring them data, and those that a hot kernel must not have.
const OPERATIONS = {
  HMMA: 0x03c, // mma.sync
  HGMMA: 0x1f0, // wgmma.mma_async
  WARPGROUP: 0x1c5, // wgmma.fence and wgmma.wait_group
  USETMAXREG: 0x1c8, // setmaxnreg
  LDSM: 0x03b, // ldmatrix
  MOVM: 0x03a, // movmatrix
  LDGSTS: 0x1ae, // cp.async
  UBLKCP: 0x1ba, // cp.async.bulk
  UTMALDG: 0x1b4, // cp.async.bulk.tensor, to shared memory
  LDL: 0x183, // load from local memory
  STL: 0x187, // store to local memory
  'CALL.ABS': 0x143, // call of a function outside the cubin, such as printf
  'CALL.REL': 0x144, // call of a subroutine of the kernel; on sm_80 also a jump where warps may have diverged
};
const names = new Map(Object.entries(OPERATIONS).map(([name, operation]) => [operation, name]));

/** How often each recorded operation occurs in the code of a kernel: `{ HMMA: 16, LDSM: 16 }`. Operations that do not occur are left out. */
export function countOpcodes(code) {
  const view = viewOf(code);
  const counts = Object.fromEntries(Object.keys(OPERATIONS).map((name) => [name, 0]));
  for (let at = 0; at + INSTRUCTION_BYTES <= code.length; at += INSTRUCTION_BYTES) {
    const name = names.get(view.getUint16(at, true) & OPERATION_MASK);
    if (name !== undefined) counts[name]++;
  }
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
}
