#include "moa/backend.h"

#include "moa/error.h"

namespace moa {

void Backend::capture_begin() {
  throw Error(ErrorCode::kUnsupported,
              std::string("Expected a device with graphs but received ") + traits().name);
}

std::unique_ptr<CommandGraph> Backend::capture_end() {
  throw Error(ErrorCode::kInternal, "Expected a recording for capture_end but none was begun");
}

}  // namespace moa
