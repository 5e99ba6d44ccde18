#pragma once
#include <napi.h>

#include <exception>
#include <new>
#include <utility>

#include "moa/error.h"

namespace moa::binding {

/// Makes a MoaError (src/core/errors.ts) with this code and message. Its stack is that of the
/// JavaScript call in progress.
Napi::Value make_js_error(Napi::Env env, ErrorCode code, const std::string& message);
/// The same for any stored exception.
Napi::Value make_js_error(Napi::Env env, std::exception_ptr failure);

/// Runs f and turns C++ exceptions into JavaScript ones; every function that JavaScript can call
/// goes through here.
template <class F>
auto guarded(Napi::Env env, F&& f) -> decltype(f()) {
  try {
    return std::forward<F>(f)();
  } catch (const Napi::Error&) {
    // A JavaScript exception that only passes through: a getter of the caller threw, or V8 could
    // not allocate.
    throw;
  } catch (...) {
    throw Napi::Error(env, make_js_error(env, std::current_exception()));
  }
}

}  // namespace moa::binding
