#pragma once
#include <napi.h>

#include <exception>
#include <new>
#include <utility>

#include "moa/error.h"

namespace moa::binding {

/// A MoaError (src/core/errors.ts) of this code and message; its stack is that of the JavaScript
/// call in progress.
Napi::Value make_js_error(Napi::Env env, ErrorCode code, const std::string& message);
/// The same of any stored exception.
Napi::Value make_js_error(Napi::Env env, std::exception_ptr failure);

/// Runs f and turns C++ exceptions into JavaScript ones; every function that JavaScript can call
/// goes through here.
template <class F>
auto guarded(Napi::Env env, F&& f) -> decltype(f()) {
  try {
    return std::forward<F>(f)();
  } catch (const Napi::Error&) {
    throw;  // a JavaScript exception on its way back: a getter of the caller's that threw, a failed
            // allocation of V8's
  } catch (...) {
    throw Napi::Error(env, make_js_error(env, std::current_exception()));
  }
}

}  // namespace moa::binding
