#pragma once
// What the host code of every op uses: the stream, the facts about the device, scratch memory and
// error checks.
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

/// Unless `status` is success, throws kInternal (kOutOfMemory for cudaErrorMemoryAllocation) with
/// the text of the call, its file and its line.
void check_cuda(cudaError_t status, const char* call, const char* file, int line);
#define MOA_CUDA_CHECK(call) ::moa::cuda::check_cuda((call), #call, __FILE__, __LINE__)
/// Stands after every launch of a kernel.
#define MOA_CUDA_CHECK_LAUNCH() MOA_CUDA_CHECK(cudaGetLastError())

/// Scratch buffers. Each is named by its use, so that no two uses within one op share a buffer.
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

/// The number of CUDA devices. When there is none, throws kUnavailable and says what to do.
int device_count();

/// Sentences that say which ops ran on another kernel than the one meant for them, and why. Any
/// thread.
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
  // Records graphs, so that allocations on the main stream do not become part of them.
  cudaStream_t capture_stream = nullptr;
  cudaStream_t stream = nullptr;  // where ops launch: one of the two
  bool capturing = false;
  MemoryHooks hooks;
  std::array<std::shared_ptr<ScratchBuffer>, static_cast<size_t>(Scratch::kCount)> scratch_buffers;
  // Scratch memory that was replaced during a capture, and that earlier launches of the graph use.
  std::vector<std::shared_ptr<ScratchBuffer>> captured_buffers;
  std::shared_ptr<BlasLt> blas;               // null until gemm first needs it
  std::shared_ptr<PrefillWork> prefill_work;  // what is in kPrefillWork; null until needed
  Substitutions substitutions;
  cudaEvent_t timer_begin = nullptr, timer_end = nullptr;

  int multiprocessors() const { return properties.multiProcessorCount; }
  bool is_hopper() const { return properties.major == 9; }

  /// Returns at least `bytes` of device memory, in stream order. It contains what the last use of
  /// the slot left, or zeros when the buffer has just been made larger. Throws kOutOfMemory.
  void* scratch(Scratch slot, int64_t bytes);
  template <class T>
  T* scratch_of(Scratch slot, int64_t count) {
    return static_cast<T*>(scratch(slot, count * static_cast<int64_t>(sizeof(T))));
  }
  /// Copies host bytes to device memory in stream order. The host may reuse its memory at once.
  /// Throws kInternal while capturing.
  void write(void* device_data, const void* host, int64_t bytes);

  /// Returns zero-filled memory of the pool, in the order of the main stream. Any thread. Throws
  /// kOutOfMemory.
  void* allocate(int64_t bytes);
  void release(void* data);
  /// Waits for the stream, then gives the free memory of the pool back to the device.
  void trim();
  /// Releases the scratch memory. During a capture it is kept for the graph instead.
  void drop_scratch();
  /// With null functions, scratch memory comes from the context's own pool.
  void set_hooks(const MemoryHooks& given);

 private:
  void destroy_handles();
};

}  // namespace moa::cuda
