#pragma once
#include <stdexcept>
#include <string>

namespace moa {

/// Codes are those of src/core/errors.ts; the binding converts an Error into a MoaError in one
/// place.
enum class ErrorCode { kInvalidArgument, kUnsupported, kUnavailable, kOutOfMemory, kInternal };

class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

/// Throws INVALID_ARGUMENT in the house style: Expected <what> for <name> but received <value>.
[[noreturn]] inline void throw_invalid(const std::string& what, const std::string& name,
                                       const std::string& value) {
  throw Error(ErrorCode::kInvalidArgument,
              "Expected " + what + " for " + name + " but received " + value);
}

}  // namespace moa
