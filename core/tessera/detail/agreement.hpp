// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <mpi.h>

#include <concepts>
#include <cstdint>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

// How an exception on one rank becomes an exception on all of them, so that none waits for a rank that has left. A
// collective call is a sequence of agree() and collectively(): what may throw on one rank alone, be it for lack of
// memory, happens inside them.
namespace tessera::detail {

class Communicator;

/// Misuse of the library, as distinct from a std::invalid_argument that a callback throws.
class Misuse : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

/// Throws Misuse with a message that begins with the argument at fault.
[[noreturn]] void throw_misuse(const std::string& argument, const std::string& what);

/// Throws Misuse unless MPI is initialised and not yet finalised.
void require_mpi();

/// Throws Misuse unless Kokkos is initialised and not yet finalised.
void require_kokkos();

/// Collective. The library's duplicate of `comm`, made when `comm` is first used and kept as its attribute. Throws
/// Misuse on this rank alone if it cannot communicate at all: if `comm` is null or an inter-communicator, or MPI is not
/// running.
std::shared_ptr<const Communicator> duplicate(MPI_Comm comm);

/// Collective. Returns if no rank passes an exception, and all pass the same record. Otherwise every rank throws: its
/// own exception if it has one, else that of the lowest rank that has (Misuse and std::bad_alloc as such, anything else
/// as a std::runtime_error); and Misuse, where records differ. What is left of messages is received first.
void settle(const Communicator& communicator, const std::exception_ptr& mine, const std::string& record = {});

/// Collective. Has ranks that wait for a message stop waiting, if this one has an exception; then settles.
void conclude(const Communicator& communicator, const std::exception_ptr& mine);

/// What `work` throws, or null.
template <std::invocable Work>
std::exception_ptr exception_of(Work&& work) noexcept {
  try {
    std::forward<Work>(work)();
  } catch (...) {
    return std::current_exception();
  }
  return nullptr;
}

/// Collective. Runs `work` on every rank; throws on all of them if it throws on one. It may communicate by a Transfers
/// that outlives the call, as may its buffers, and by nothing else.
template <std::invocable Work>
void collectively(const Communicator& communicator, Work&& work) {
  conclude(communicator, exception_of(std::forward<Work>(work)));
}

/// What the arguments of a collective call are on this rank, as far as all ranks must pass the same.
class Agreement {
 public:
  /// `argument` must have this value on every rank.
  void same(const char* argument, const std::string& value);
  void same(const char* argument, std::integral auto value) { same(argument, std::to_string(value)); }
  void same(const char* argument, double value);

  const std::string& record() const { return record_; }  ///< two lines for each argument: its name, and its value

 private:
  std::string record_;
};

/// Collective, and the first thing that a collective call does. `describe(agreement)` checks this rank's arguments,
/// and notes what the ranks must agree on. Throws on every rank what it throws on one, and Misuse where ranks disagree,
/// also about which `operation` this is: no rank waits for another's data before.
template <std::invocable<Agreement&> Describe>
void agree(const Communicator& communicator, const char* operation, Describe&& describe) {
  Agreement agreement;
  const std::exception_ptr exception = exception_of([&] {
    agreement.same("operation", std::string(operation));
    std::forward<Describe>(describe)(agreement);
  });
  settle(communicator, exception, agreement.record());
}

}  // namespace tessera::detail
