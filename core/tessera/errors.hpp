// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

/// @file
/// How collective calls fail: by an exception on every rank, so that none waits for a rank that has left.
///
/// Misuse, and arguments on which the ranks disagree, are a std::invalid_argument whose message names the argument; so
/// is that ranks are in different functions of Tessera on one communicator. What happens on some ranks only, in a
/// callback, for lack of memory, in a kernel or in MPI, is rethrown there; the other ranks throw std::bad_alloc, if the
/// lowest of those ranks did, or a std::runtime_error with its message. Ranks that wait for a message stop waiting, and
/// what is on its way is received: the next call works. Two errors may not reach all ranks: the failure of a collective
/// MPI call (see MpiError), and the misuse of a communicator on which nothing can be sent (see ProcessGrid).

namespace tessera {
/// @addtogroup one_call
/// @{

/// Thrown on every rank if A is not positive definite.
class NotPositiveDefinite : public std::runtime_error {
 public:
  /// @param leading_minor what leading_minor() returns
  explicit NotPositiveDefinite(std::int64_t leading_minor)
      : std::runtime_error("the matrix is not positive definite: its leading minor of order " +
                           std::to_string(leading_minor) + " is not"),
        leading_minor_(leading_minor) {}

  /// The order, from 1, of the first leading minor that is not positive definite: `info` of LAPACK's potrf.
  std::int64_t leading_minor() const noexcept { return leading_minor_; }

 private:
  std::int64_t leading_minor_;
};

/// Thrown on the rank whose MPI call failed. The others throw a std::runtime_error with its message, if MPI still works
/// on that communicator; if what failed is a collective MPI call, they may wait for that rank instead. Where such a
/// call fails on some ranks only, the communicator is lost.
///
/// what() names the call and has MPI's text. A failure to duplicate the caller's communicator first reaches that
/// communicator's own error handler, which by default ends the program.
class MpiError : public std::runtime_error {
 public:
  /// @param what the message
  /// @param code what the MPI call returned
  MpiError(const std::string& what, int code) : std::runtime_error(what), code_(code) {}

  /// What the MPI call returned.
  int code() const noexcept { return code_; }

 private:
  int code_;
};

/// @}
}  // namespace tessera
