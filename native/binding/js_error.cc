#include "binding/js_error.h"

#include <string>

#include "binding/env_state.h"

namespace moa::binding {

namespace {

const char* code_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return "INVALID_ARGUMENT";
    case ErrorCode::kUnsupported:
      return "UNSUPPORTED";
    case ErrorCode::kUnavailable:
      return "UNAVAILABLE";
    case ErrorCode::kOutOfMemory:
      return "OUT_OF_MEMORY";
    case ErrorCode::kInternal:
      return "INTERNAL";
  }
  return "INTERNAL";
}

}  // namespace

Napi::Value make_js_error(Napi::Env env, ErrorCode code, const std::string& message) {
  const EnvState& state = EnvState::of(env);
  const Napi::String code_value = Napi::String::New(env, code_name(code));
  if (!state.error_class.IsEmpty()) {
    Napi::Object options = Napi::Object::New(env);
    options.Set("code", code_value);
    return state.error_class.New({Napi::String::New(env, message), options});
  }
  const Napi::Object error = Napi::Error::New(env, message).Value();
  error.Set("code", code_value);
  return error;
}

Napi::Value make_js_error(Napi::Env env, std::exception_ptr failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    return make_js_error(env, error.code(), error.what());
  } catch (const std::bad_alloc&) {
    return make_js_error(env, ErrorCode::kOutOfMemory, "out of host memory");
  } catch (const std::exception& error) {
    return make_js_error(env, ErrorCode::kInternal, error.what());
  } catch (...) {
    return make_js_error(env, ErrorCode::kInternal, "unknown native exception");
  }
}

}  // namespace moa::binding
