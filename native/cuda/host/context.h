#pragma once
// What every op's host code works with: the stream, the device's facts, scratch memory, error
// checks.
#include <cuda_runtime.h>

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "moa/cuda_abi.h"
#include "moa/error.h"

namespace moa::cuda {

/// Throws kInternal (kOutOfMemory for cudaErrorMemoryAllocation) with the call's text, file and
/// line.
void check_cuda(cudaError_t status, const char* call, const char* file, int line);
#define MOA_CUDA_CHECK(call) ::moa::cuda::check_cuda((call), #call, __FILE__, __LINE__)
/// After a launch.
#define MOA_CUDA_CHECK_LAUNCH() MOA_CUDA_CHECK(cudaGetLastError())

/// Scratch memory by use, so that no two uses within one op share a buffer.
enum class Scratch : uint8_t {
  kBlasWorkspace,      // gemm
  kConvert,            // gemm: operands or sums in another dtype
  kStaging,            // upload, download
  kDecodePartials,     // attention_decode
  kDecodeTickets,      // attention_decode: arrival counters, zero between launches
  kPrefillKeys,        // attention_prefill: cached and new keys and values in order of position
  kPrefillWork,        // attention_prefill: list of blocks
  kBackwardRows,       // attention_backward, influence: row sums
  kBackwardKeys,       // attention_backward
  kInfluencePartials,  // influence
  kInfluenceRows,      // influence
  kLogitPartials,      // argmax
  kLogitTickets,       // argmax: arrival counters, zero between launches
  kCount
};

class BlasLt;        // host/gemm_cublaslt.cc
struct PrefillWork;  // prefill/work.h

struct ScratchBuffer {
  ScratchBuffer(const MemoryHooks& hooks, int64_t bytes);
  ~ScratchBuffer();
  ScratchBuffer(const ScratchBuffer&) = delete;
  MemoryHooks hooks;
  void* data = nullptr;
  int64_t bytes = 0;
};

/// Throws kUnavailable, with what to do, when there is none.
int device_count();

/// What ran on another kernel than the one meant for it, and why: sentences. Any thread.
class Substitutions {
 public:
  void note(const std::string& sentence);
  std::string lines() const;  // each ends in a newline

 private:
  mutable std::mutex mutex_;
  std::set<std::string> sentences_;
};

struct Context {
  explicit Context(int device);  // throws kUnavailable when the device cannot run this library
  ~Context();
  Context(const Context&) = delete;

  int device = 0;
  cudaDeviceProp properties{};
  cudaMemPool_t pool = nullptr;
  cudaStream_t main_stream = nullptr;  // runs everything
  cudaStream_t capture_stream =
      nullptr;  // records graphs, so that allocations on the main stream stay out of them
  cudaStream_t stream = nullptr;  // where ops launch: one of the two
  bool capturing = false;
  MemoryHooks hooks;
  std::array<std::shared_ptr<ScratchBuffer>, static_cast<size_t>(Scratch::kCount)> scratch_buffers;
  // Scratch memory that was replaced while capturing: the graph's earlier launches use it.
  std::vector<std::shared_ptr<ScratchBuffer>> captured_buffers;
  std::shared_ptr<BlasLt> blas;               // null until asked for; see gemm
  std::shared_ptr<PrefillWork> prefill_work;  // what kPrefillWork holds; null until asked for
  Substitutions substitutions;
  cudaEvent_t timer_begin = nullptr, timer_end = nullptr;

  int multiprocessors() const { return properties.multiProcessorCount; }
  bool is_hopper() const { return properties.major == 9; }

  /// At least `bytes` of device memory in stream order; contents are those of the last use of the
  /// slot, zeros when it was made larger. Throws kOutOfMemory.
  void* scratch(Scratch slot, int64_t bytes);
  template <class T>
  T* scratch_of(Scratch slot, int64_t count) {
    return static_cast<T*>(scratch(slot, count * static_cast<int64_t>(sizeof(T))));
  }
  /// Host bytes into device memory in stream order; the host may reuse them at once. Throws
  /// kInternal while capturing.
  void write(void* device_data, const void* host, int64_t bytes);

  /// Zero-filled memory of the pool, in order of the main stream, from any thread. Throws
  /// kOutOfMemory.
  void* allocate(int64_t bytes);
  void release(void* data);
  /// Waits for the stream and gives what is free in the pool back to the device.
  void trim();
  /// Puts the scratch memory back, or aside for the graph that is being captured.
  void drop_scratch();
  /// With null functions: the pool's.
  void set_hooks(const MemoryHooks& given);

 private:
  void destroy_handles();
};

}  // namespace moa::cuda
