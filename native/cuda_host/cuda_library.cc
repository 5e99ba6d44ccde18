#include "cuda_host/cuda_library.h"

#include <dlfcn.h>

#include <mutex>

#include "moa/error.h"

namespace moa::cuda {

namespace {

Api open_library(const std::string& path) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw Error(ErrorCode::kUnavailable, dlerror());
  const auto entry = reinterpret_cast<EntryPoint>(dlsym(library, kEntryPoint));
  if (entry == nullptr) {
    throw Error(ErrorCode::kUnavailable, std::string("Expected the symbol ") + kEntryPoint +
                                             " in " + path + " but it is not there");
  }
  Api api;
  const uint32_t other = entry(kAbiVersion, &api);
  if (other != 0) {
    throw Error(ErrorCode::kUnavailable, "Expected version " + std::to_string(kAbiVersion) +
                                             " of the interface for " + path + " but received " +
                                             std::to_string(other));
  }
  return api;
}

}  // namespace

const Api& load_library(const std::string& path) {
  static std::mutex mutex;
  static Api api;
  static bool loaded = false;
  const std::lock_guard lock(mutex);
  if (!loaded) {
    api = open_library(path);
    loaded = true;
  }
  return api;
}

void check_status(const Api& api, int32_t status) {
  if (status != 0) throw Error(static_cast<ErrorCode>(status - 1), api.last_error());
}

}  // namespace moa::cuda
