#pragma once
// Warpgroup matrix instructions (PTX ISA: wgmma) for sm_90a, over 16-bit operands with float32
// sums.
//
// The accumulator of m64nNk16 in lane 4 g + t of warp w of the group: d[4 i] and d[4 i + 1] are row
// 16 w + g, columns 8 i + 2 t and the next; d[4 i + 2] and d[4 i + 3] are row 16 w + g + 8, the
// same columns. An A operand in registers [64, 16] has the layout of two neighbouring column tiles
// of an accumulator, packed in pairs.
//
// A matrix descriptor describes an operand in shared memory by 64 bits: address / 16 in bits 0-13,
// leading byte offset / 16 in bits 16-29, stride byte offset / 16 in bits 32-45, swizzle in bits
// 62-63 (1 means 128 bytes). With this swizzle the unit is an atom: 8 rows of 128 bytes, aligned to
// 1024 bytes, in which 16-byte chunk c of row r lies at chunk c ^ (r & 7). TMA writes this layout.
//
// K-major operands (queries, keys): a row of shared memory is one row of M or N and has 64 elements
// of K. An instruction reads 32 bytes of every row. The stride offset leads from 8 rows to the next
// 8: 1024 bytes where rows are dense. The leading offset is not used. Going 16 elements along K
// adds 32 bytes to the address; the swizzle acts on address bits, so this is right inside an atom.
// Going 64 elements along K leads to the next box.
//
// MN-major operands (values, "transposed"): a row of shared memory is one row of K and has 64
// elements of N. The 16 rows that an instruction reads are two atoms. The stride offset leads from
// 8 rows of K to the next 8: 1024 bytes. The leading offset leads from 64 elements of N to the next
// 64: one column of boxes. Going 16 rows along K adds 2048 bytes to the address.
#include <cstdint>
#include <type_traits>

#include "cuda/device/element.cuh"

namespace moa::cuda {

/// The descriptor of an operand at `shared`, which is aligned to 1024 bytes. Both offsets are in
/// bytes.
__device__ __forceinline__ uint64_t wgmma_descriptor(uint32_t shared, uint32_t leading,
                                                     uint32_t stride) {
  constexpr uint64_t kSwizzle128 = 1;
  return static_cast<uint64_t>((shared & 0x3ffff) >> 4) |
         static_cast<uint64_t>(leading >> 4) << 16 | static_cast<uint64_t>(stride >> 4) << 32 |
         kSwizzle128 << 62;
}

/// The descriptor of the same operand, `bytes` further on.
__device__ __forceinline__ uint64_t wgmma_advance(uint64_t descriptor, uint32_t bytes) {
  return descriptor + (bytes >> 4);
}

/// Needed before the first wgmma, and whenever registers that a later wgmma reads or adds to were
/// written.
__device__ __forceinline__ void wgmma_fence() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
__device__ __forceinline__ void wgmma_commit() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}

#define MOA_WGMMA_FLOATS_8(d, i)                                                              \
  "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), "+f"(d[i + 5]), \
      "+f"(d[i + 6]), "+f"(d[i + 7])
#define MOA_WGMMA_FLOATS_32(d, i)                                                        \
  MOA_WGMMA_FLOATS_8(d, i), MOA_WGMMA_FLOATS_8(d, i + 8), MOA_WGMMA_FLOATS_8(d, i + 16), \
      MOA_WGMMA_FLOATS_8(d, i + 24)
#define MOA_WGMMA_FLOATS_64(d) MOA_WGMMA_FLOATS_32(d, 0), MOA_WGMMA_FLOATS_32(d, 32)
#define MOA_WGMMA_LIST_32                                                   \
  "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, " \
  "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}"
#define MOA_WGMMA_LIST_64                                                            \
  "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "          \
  "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, " \
  "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, " \
  "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}"

/// Waits until at most `kPending` groups are still running. `d` are the sums of a group that has
/// then ended; they are operands here, so that the compiler does not read them earlier.
template <int kPending>
__device__ __forceinline__ void wgmma_wait(float (&d)[64]) {
  asm volatile("wgmma.wait_group.sync.aligned %64;"
               : MOA_WGMMA_FLOATS_64(d)
               : "n"(kPending)
               : "memory");
}
template <int kPending>
__device__ __forceinline__ void wgmma_wait(float (&d)[32]) {
  asm volatile("wgmma.wait_group.sync.aligned %32;"
               : MOA_WGMMA_FLOATS_32(d, 0)
               : "n"(kPending)
               : "memory");
}

#define MOA_WGMMA_SHARED(shape, type, list, floats, a_at, b_at, add_at)                       \
  asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, " add_at                                 \
               ", 0;\n"                                                                       \
               "wgmma.mma_async.sync.aligned." shape ".f32." type "." type " " list ", " a_at \
               ", " b_at ", add, 1, 1, 0, 0;\n}\n"                                            \
               : floats                                                                       \
               : "l"(a), "l"(b), "n"(kAdd ? 1 : 0))

/// d [64, 128] (+)= A B^T for one step of 16 along K. A and B are K-major in shared memory.
template <class T, bool kAdd>
__device__ __forceinline__ void wgmma_rows(float (&d)[64], uint64_t a, uint64_t b) {
  if constexpr (std::is_same_v<T, BFloat16>) {
    MOA_WGMMA_SHARED("m64n128k16", "bf16", MOA_WGMMA_LIST_64, MOA_WGMMA_FLOATS_64(d), "%64", "%65",
                     "%66");
  } else {
    MOA_WGMMA_SHARED("m64n128k16", "f16", MOA_WGMMA_LIST_64, MOA_WGMMA_FLOATS_64(d), "%64", "%65",
                     "%66");
  }
}
/// d [64, 64] (+)= A B^T.
template <class T, bool kAdd>
__device__ __forceinline__ void wgmma_rows(float (&d)[32], uint64_t a, uint64_t b) {
  if constexpr (std::is_same_v<T, BFloat16>) {
    MOA_WGMMA_SHARED("m64n64k16", "bf16", MOA_WGMMA_LIST_32, MOA_WGMMA_FLOATS_32(d, 0), "%32",
                     "%33", "%34");
  } else {
    MOA_WGMMA_SHARED("m64n64k16", "f16", MOA_WGMMA_LIST_32, MOA_WGMMA_FLOATS_32(d, 0), "%32", "%33",
                     "%34");
  }
}

#define MOA_WGMMA_REGISTERS(shape, type, list, floats, a0, a1, a2, a3, b, add_at, transposed) \
  asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, " add_at                                 \
               ", 0;\n"                                                                       \
               "wgmma.mma_async.sync.aligned." shape ".f32." type "." type " " list ", {" a0  \
               ", " a1 ", " a2 ", " a3 "}, " b ", add, 1, 1, " transposed ";\n}\n"            \
               : floats                                                                       \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(descriptor), "n"(kAdd ? 1 : 0))

/// d [64, 64] (+)= A B^T for one step of 16 along K. A is in registers, B is K-major in shared
/// memory.
template <class T, bool kAdd>
__device__ __forceinline__ void wgmma_rows(float (&d)[32], const uint32_t (&a)[4],
                                           uint64_t descriptor) {
  if constexpr (std::is_same_v<T, BFloat16>) {
    MOA_WGMMA_REGISTERS("m64n64k16", "bf16", MOA_WGMMA_LIST_32, MOA_WGMMA_FLOATS_32(d, 0), "%32",
                        "%33", "%34", "%35", "%36", "%37", "0");
  } else {
    MOA_WGMMA_REGISTERS("m64n64k16", "f16", MOA_WGMMA_LIST_32, MOA_WGMMA_FLOATS_32(d, 0), "%32",
                        "%33", "%34", "%35", "%36", "%37", "0");
  }
}
/// d [64, 128] += A B. A is in registers, B [16, 128] is MN-major in shared memory.
template <class T>
__device__ __forceinline__ void wgmma_add(float (&d)[64], const uint32_t (&a)[4],
                                          uint64_t descriptor) {
  constexpr bool kAdd = true;
  if constexpr (std::is_same_v<T, BFloat16>) {
    MOA_WGMMA_REGISTERS("m64n128k16", "bf16", MOA_WGMMA_LIST_64, MOA_WGMMA_FLOATS_64(d), "%64",
                        "%65", "%66", "%67", "%68", "%69", "1");
  } else {
    MOA_WGMMA_REGISTERS("m64n128k16", "f16", MOA_WGMMA_LIST_64, MOA_WGMMA_FLOATS_64(d), "%64",
                        "%65", "%66", "%67", "%68", "%69", "1");
  }
}
/// d [64, 64] += A B.
template <class T>
__device__ __forceinline__ void wgmma_add(float (&d)[32], const uint32_t (&a)[4],
                                          uint64_t descriptor) {
  constexpr bool kAdd = true;
  if constexpr (std::is_same_v<T, BFloat16>) {
    MOA_WGMMA_REGISTERS("m64n64k16", "bf16", MOA_WGMMA_LIST_32, MOA_WGMMA_FLOATS_32(d, 0), "%32",
                        "%33", "%34", "%35", "%36", "%37", "1");
  } else {
    MOA_WGMMA_REGISTERS("m64n64k16", "f16", MOA_WGMMA_LIST_32, MOA_WGMMA_FLOATS_32(d, 0), "%32",
                        "%33", "%34", "%35", "%36", "%37", "1");
  }
}

#undef MOA_WGMMA_REGISTERS
#undef MOA_WGMMA_SHARED
#undef MOA_WGMMA_LIST_64
#undef MOA_WGMMA_LIST_32
#undef MOA_WGMMA_FLOATS_64
#undef MOA_WGMMA_FLOATS_32
#undef MOA_WGMMA_FLOATS_8

/// Gives back registers of a warpgroup, or takes more. All warps of the group must call it, once.
template <int kRegisters>
__device__ __forceinline__ void registers_decrease() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
}
template <int kRegisters>
__device__ __forceinline__ void registers_increase() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
}

/// Hardware barriers for a part of the CTA. Number 0 is the one of __syncthreads.
__device__ __forceinline__ void named_barrier_sync(int barrier, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
}
__device__ __forceinline__ void named_barrier_arrive(int barrier, int threads) {
  asm volatile("bar.arrive %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
}

}  // namespace moa::cuda
