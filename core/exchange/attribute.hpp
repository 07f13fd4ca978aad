// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/exchange/communicator.hpp"

#include <mpi.h>

#include <memory>

namespace tessera::detail {

/// What the library keeps with a caller's communicator, as an attribute: one Value, which ends when the caller frees
/// the communicator. A duplicate of that has none. Local.
template <class Value>
class Attribute {
 public:
  /// The value that `comm` has, or null.
  static Value* of(MPI_Comm comm) {
    Value* value = nullptr;
    int found = 0;
    check(MPI_Comm_get_attr(comm, key(), static_cast<void*>(&value), &found), "MPI_Comm_get_attr");
    return found != 0 ? value : nullptr;
  }
  static Value* set(MPI_Comm comm, const Value& value) {
    auto kept = std::make_unique<Value>(value);
    check(MPI_Comm_set_attr(comm, key(), kept.get()), "MPI_Comm_set_attr");
    return kept.release();
  }
  /// Ends the value, if there is one.
  static void remove(MPI_Comm comm) {
    if (of(comm) != nullptr) check(MPI_Comm_delete_attr(comm, key()), "MPI_Comm_delete_attr");
  }

 private:
  static int key() {
    static const int made = [] {
      int keyval = MPI_KEYVAL_INVALID;
      check(MPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, &end, &keyval, nullptr), "MPI_Comm_create_keyval");
      return keyval;
    }();
    return made;
  }
  static int end(MPI_Comm, int, void* value, void*) {
    delete static_cast<Value*>(value);
    return MPI_SUCCESS;
  }
};

}  // namespace tessera::detail
