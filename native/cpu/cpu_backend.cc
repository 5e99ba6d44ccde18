#include "cpu/cpu_backend.h"

#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "cpu/cpu_kv_cache.h"
#include "cpu/cpu_ops.h"
#include "cpu/tensor_copy.h"

#if defined(_OPENMP)
#include <omp.h>
#endif

namespace moa::cpu {

namespace {

constexpr int64_t kAlignment = 64;  // a cache line, and the widest vector register

/// Uses calloc, which returns large blocks as zero pages that the system has not backed with memory
/// yet. Filling them with zeros by hand would make all of them resident.
class HeapAllocator final : public RawAllocator {
 public:
  void* allocate(int64_t bytes) override {
    char* block = static_cast<char*>(std::calloc(1, static_cast<size_t>(bytes + kAlignment)));
    if (block == nullptr) return nullptr;
    const auto address = reinterpret_cast<uintptr_t>(block);
    // Bytes to the aligned start: 16 to 64, because calloc aligns to 16. The last byte before the
    // start keeps this number for release().
    const auto shift = kAlignment - static_cast<int64_t>(address % kAlignment);
    block[shift - 1] = static_cast<char>(shift);
    return block + shift;
  }
  void release(void* data) override {
    char* aligned = static_cast<char*>(data);
    std::free(aligned - aligned[-1]);
  }
  int64_t total_bytes() const override {
    return static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) *
           static_cast<int64_t>(sysconf(_SC_PAGESIZE));
  }
};

constexpr const char* simd_level() {
#if defined(__AVX512F__)
  return "AVX-512";
#elif defined(__AVX2__) && defined(__FMA__)
  return "AVX2 + FMA";
#elif defined(__AVX__)
  return "AVX";
#elif defined(__ARM_NEON)
  return "NEON";
#elif defined(__SSE2__)
  return "SSE2";
#else
  return "no SIMD";
#endif
}

class CpuBackend final : public Backend {
 public:
  explicit CpuBackend(int threads)
      : threads_(threads), pool_(std::make_shared<MemoryPool>(std::make_shared<HeapAllocator>())) {}

  DeviceTraits traits() const override { return {.name = "cpu"}; }
  std::string description() const override {
#if defined(_OPENMP)
    const std::string threads =
        std::to_string(threads_) + (threads_ == 1 ? " thread, " : " threads, ");
#else
    const std::string threads = "1 thread (built without OpenMP), ";
#endif
    return "cpu: " + threads + simd_level();
  }
  const std::shared_ptr<MemoryPool>& pool() const override {
    return pool_;
  }
  std::shared_ptr<KvCache> make_kv_cache(KvCacheSpec spec) override {
    return std::make_shared<CpuKvCache>(std::move(spec), pool_);
  }

  void start_stream_thread() override {
#if defined(_OPENMP)
    // The number holds for the calling thread only, so each backend has its own.
    omp_set_num_threads(threads_);
#endif
  }
  void upload(const void* data, DType from, const TensorRef& out) override {
    cpu::upload(data, from, out);
  }
  void download(const TensorRef& x, void* out) override {
    cpu::download(x, out);
  }
  void synchronize() override {}
#define MOA_CALL_OP(method, Params, name)      \
  void method(const Params& params) override { \
    cpu::method(params);                       \
  }
  MOA_FOR_EACH_OP(MOA_CALL_OP)
#undef MOA_CALL_OP

 private:
  int threads_;
  std::shared_ptr<MemoryPool> pool_;
};

}  // namespace

std::unique_ptr<Backend> make_cpu_backend(int threads) {
  return std::make_unique<CpuBackend>(threads);
}

}  // namespace moa::cpu
