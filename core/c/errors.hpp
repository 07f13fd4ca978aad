// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tessera/tessera.h"

#include <string>

// Exceptions of C++ as what a C function returns, and back.
namespace tessera::c {

/// The status and, for tessera_last_error, the text of the exception that is being handled.
tessera_status report() noexcept;

/// What a C function does: `work`, and a status for what it throws.
template <class Work>
tessera_status guarded(const Work& work) noexcept {
  try {
    work();
  } catch (...) {
    return report();
  }
  tessera_set_error("");
  return TESSERA_OK;
}

/// Throws for the status that a callback of this name has returned.
void require_ok(const char* name, int status);

/// Calls a function of the caller's; throws if it fails.
template <class Call>
void call_back(const char* name, const Call& call) {
  tessera_set_error("");
  require_ok(name, call());
}

}  // namespace tessera::c
