// A device that is open for the stream thread: its streams, its memory pool, its driver's facts,
// the scratch memory of kernels and the checks of CUDA calls. The only kernel is never launched:
// asking the driver for its attributes shows whether the device can load this library's code.
// Measured: reports/cuda/2026-11-24-h200
#include <algorithm>
#include <limits>
#include <string_view>

#include "cuda/host/context.h"

namespace moa::cuda {

namespace {

// Copies from pageable host memory of at most this size have read the host memory when the call
// returns; the CUDA guide promises this for 64 KiB and less.
constexpr int64_t kCopiedAtOnceBytes = 64 * 1024;

/// Never launched. Its attributes can be read only when the device can load this library's code.
__global__ void context_probe_kernel() {}

std::string cuda_version(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

[[noreturn]] void throw_unavailable(const std::string& reason) {
  throw Error(ErrorCode::kUnavailable, reason);
}

/// The text of an error. Also clears the error, so that the next check of a launch does not report
/// it again.
std::string error_text(cudaError_t status) {
  cudaGetLastError();
  return std::string(cudaGetErrorName(status)) + ": " + cudaGetErrorString(status);
}

int attribute(cudaDeviceAttr name, int device) {
  int value = 0;
  MOA_CUDA_CHECK(cudaDeviceGetAttribute(&value, name, device));
  return value;
}

cudaMemPool_t make_pool(int device) {
  cudaMemPoolProps props{};
  props.allocType = cudaMemAllocationTypePinned;
  props.location.type = cudaMemLocationTypeDevice;
  props.location.id = device;
  cudaMemPool_t pool = nullptr;
  MOA_CUDA_CHECK(cudaMemPoolCreate(&pool, &props));
  // With this threshold, memory goes back to the driver only when an allocation fails, not at every
  // synchronization.
  uint64_t threshold = std::numeric_limits<uint64_t>::max();
  MOA_CUDA_CHECK(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &threshold));
  return pool;
}

}  // namespace

void check_cuda(cudaError_t status, const char* call, const char* file, int line) {
  if (status == cudaSuccess) return;
  // The message names folder and file, because folders have files of the same name.
  std::string_view place(file);
  const size_t room = place.rfind('/', place.rfind('/') - 1);
  if (room != place.npos) place.remove_prefix(room + 1);
  const ErrorCode code =
      status == cudaErrorMemoryAllocation ? ErrorCode::kOutOfMemory : ErrorCode::kInternal;
  throw Error(code, error_text(status) + " in " + call + " (" + std::string(place) + ":" +
                        std::to_string(line) + ")");
}

int device_count() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaSuccess && count > 0) return count;
  const std::string reason = error_text(status == cudaSuccess ? cudaErrorNoDevice : status);
  int driver = 0, runtime = 0;
  if (cudaDriverGetVersion(&driver) != cudaSuccess) driver = 0;
  if (cudaRuntimeGetVersion(&runtime) != cudaSuccess) runtime = CUDART_VERSION;
  cudaGetLastError();
  if (driver == 0) {
    throw_unavailable(reason + ". No NVIDIA driver was found: install one that supports CUDA " +
                      cuda_version(runtime) + ", and give containers access to the GPU");
  }
  if (status == cudaErrorInsufficientDriver) {
    throw_unavailable(reason + ". The driver supports CUDA " + cuda_version(driver) +
                      " and this library needs " + cuda_version(runtime) +
                      ": update the driver, or build with an older toolkit");
  }
  throw_unavailable(reason + ". The driver (CUDA " + cuda_version(driver) +
                    ") shows no GPU: see nvidia-smi and CUDA_VISIBLE_DEVICES");
}

ScratchBuffer::ScratchBuffer(const MemoryHooks& given, int64_t size) : hooks(given), bytes(size) {
  data = hooks.allocate(hooks.user, bytes, "scratch");
  if (data == nullptr) {
    throw Error(ErrorCode::kOutOfMemory,
                "Out of device memory for " + std::to_string(bytes) + " bytes of scratch");
  }
}

ScratchBuffer::~ScratchBuffer() {
  hooks.release(hooks.user, data);
}

void Substitutions::note(const std::string& sentence) {
  const std::lock_guard lock(mutex_);
  sentences_.insert(sentence);
}

std::string Substitutions::lines() const {
  const std::lock_guard lock(mutex_);
  std::string lines;
  for (const std::string& sentence : sentences_) lines += sentence + "\n";
  return lines;
}

Context::Context(int index) : device(index) {
  const int count = device_count();
  if (index < 0 || index >= count) {
    throw_invalid("one of " + std::to_string(count) + " CUDA devices", "device",
                  std::to_string(index));
  }
  const std::string name = "CUDA device " + std::to_string(index);
  const cudaError_t status = cudaSetDevice(index);
  if (status != cudaSuccess) throw_unavailable(name + " cannot be used: " + error_text(status));
  MOA_CUDA_CHECK(cudaGetDeviceProperties(&properties, index));
  const std::string capability =
      std::to_string(properties.major) + "." + std::to_string(properties.minor);
  if (properties.major < 8) {
    throw_unavailable(name + " (" + properties.name + ") has compute capability " + capability +
                      "; 8.0 or later is needed");
  }
  if (attribute(cudaDevAttrMemoryPoolsSupported, index) == 0) {
    throw_unavailable(name + " (" + properties.name +
                      ") has no memory pools (cudaDevAttrMemoryPoolsSupported is 0)");
  }
  cudaFuncAttributes probe{};
  const cudaError_t loaded = cudaFuncGetAttributes(&probe, context_probe_kernel);
  if (loaded != cudaSuccess) {
    throw_unavailable("This library has no code for compute capability " + capability + " of " +
                      name + " (" + error_text(loaded) + "): add its architecture to the build");
  }
  try {
    pool = make_pool(index);
    MOA_CUDA_CHECK(cudaStreamCreateWithFlags(&main_stream, cudaStreamNonBlocking));
    MOA_CUDA_CHECK(cudaStreamCreateWithFlags(&capture_stream, cudaStreamNonBlocking));
    MOA_CUDA_CHECK(cudaEventCreate(&timer_begin));
    MOA_CUDA_CHECK(cudaEventCreate(&timer_end));
  } catch (...) {
    destroy_handles();
    throw;
  }
  stream = main_stream;
  set_hooks({});
}

Context::~Context() {
  cudaSetDevice(device);
  cudaStreamSynchronize(main_stream);
  capturing = false;
  captured_buffers.clear();
  drop_scratch();
  blas.reset();
  destroy_handles();
  cudaGetLastError();
}

/// Destroys those handles that exist.
void Context::destroy_handles() {
  if (timer_begin != nullptr) cudaEventDestroy(timer_begin);
  if (timer_end != nullptr) cudaEventDestroy(timer_end);
  if (capture_stream != nullptr) cudaStreamDestroy(capture_stream);
  if (main_stream != nullptr) cudaStreamDestroy(main_stream);
  if (pool != nullptr) cudaMemPoolDestroy(pool);
}

void Context::set_hooks(const MemoryHooks& given) {
  hooks = given;
  if (hooks.allocate != nullptr && hooks.release != nullptr) return;
  hooks.user = this;
  hooks.allocate = [](void* user, int64_t bytes, const char*) -> void* {
    try {
      return static_cast<Context*>(user)->allocate(bytes);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kOutOfMemory) throw;
      return nullptr;
    }
  };
  hooks.release = [](void* user, void* data) { static_cast<Context*>(user)->release(data); };
}

void Context::trim() {
  MOA_CUDA_CHECK(cudaSetDevice(device));
  MOA_CUDA_CHECK(cudaStreamSynchronize(main_stream));
  MOA_CUDA_CHECK(cudaMemPoolTrimTo(pool, 0));
}

void* Context::allocate(int64_t bytes) {
  MOA_CUDA_CHECK(cudaSetDevice(device));
  const auto size = static_cast<size_t>(std::max<int64_t>(bytes, 1));
  void* data = nullptr;
  cudaError_t status = cudaMallocFromPoolAsync(&data, size, pool, main_stream);
  if (status == cudaErrorMemoryAllocation) {
    // Memory that is freed later in stream order, or that is free but fragmented, becomes available
    // once the stream is idle and the pool is trimmed.
    cudaGetLastError();
    trim();
    status = cudaMallocFromPoolAsync(&data, size, pool, main_stream);
  }
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    throw Error(ErrorCode::kOutOfMemory,
                "Out of device memory for " + std::to_string(bytes) + " bytes");
  }
  MOA_CUDA_CHECK(status);
  const cudaError_t cleared = cudaMemsetAsync(data, 0, size, main_stream);
  if (cleared != cudaSuccess) release(data);
  MOA_CUDA_CHECK(cleared);
  return data;
}

void Context::release(void* data) {
  if (data == nullptr) return;
  const bool freed =
      cudaSetDevice(device) == cudaSuccess && cudaFreeAsync(data, main_stream) == cudaSuccess;
  if (!freed) cudaGetLastError();  // the device is lost, so there is nothing to free
}

void* Context::scratch(Scratch slot, int64_t wanted) {
  const int64_t bytes = std::max<int64_t>(wanted, 1);
  std::shared_ptr<ScratchBuffer>& buffer = scratch_buffers[static_cast<size_t>(slot)];
  if (buffer != nullptr && buffer->bytes >= bytes) return buffer->data;
  // Grow by at least a quarter, so that lengths that grow step by step do not cause an allocation
  // at every step. When this does not fit, only what is needed is allocated.
  const int64_t roomy =
      buffer == nullptr ? bytes : std::max(bytes, buffer->bytes + buffer->bytes / 4);
  if (capturing && buffer != nullptr) captured_buffers.push_back(buffer);
  // Freed in stream order, so the new buffer may use the same memory.
  buffer.reset();
  try {
    buffer = std::make_shared<ScratchBuffer>(hooks, roomy);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kOutOfMemory || roomy == bytes) throw;
    buffer = std::make_shared<ScratchBuffer>(hooks, bytes);
  }
  // Hooks need not return zeros. The memory is cleared on the main stream even while capturing,
  // because the graph runs there, and later.
  MOA_CUDA_CHECK(cudaMemsetAsync(buffer->data, 0, static_cast<size_t>(buffer->bytes), main_stream));
  return buffer->data;
}

void Context::write(void* device_data, const void* host, int64_t bytes) {
  if (capturing)
    throw Error(ErrorCode::kInternal,
                "Host memory cannot be written to the device while a graph is captured");
  if (bytes == 0) return;
  MOA_CUDA_CHECK(cudaMemcpyAsync(device_data, host, static_cast<size_t>(bytes),
                                 cudaMemcpyHostToDevice, main_stream));
  if (bytes > kCopiedAtOnceBytes) MOA_CUDA_CHECK(cudaStreamSynchronize(main_stream));
}

void Context::drop_scratch() {
  for (std::shared_ptr<ScratchBuffer>& buffer : scratch_buffers) {
    if (capturing && buffer != nullptr) captured_buffers.push_back(buffer);
    buffer.reset();
  }
}

}  // namespace moa::cuda
