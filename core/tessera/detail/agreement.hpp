#pragma once

#include <mpi.h>

#include <concepts>
#include <cstdint>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

// How an exception on one rank becomes an exception on all of them, so that nobody waits for a rank that has left.
namespace tessera::detail {

class Communicator;

/// Misuse of the library; told apart from a std::invalid_argument that a callback threw.
class Misuse : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

/// A message that begins with the argument at fault.
[[noreturn]] void throw_misuse(const std::string& argument, const std::string& what);

/// Throws Misuse unless MPI is initialised and not yet finalised.
void require_mpi();

/// Throws Misuse unless Kokkos is initialised and not yet finalised.
void require_kokkos();

/// A duplicate of `comm`. Throws Misuse, on this rank alone, for what can't be communicated on at all: a null
/// communicator, an inter-communicator, MPI not running. Otherwise collective.
std::shared_ptr<const Communicator> duplicate(MPI_Comm comm);

/// Collective. Returns if no rank passes an exception. Otherwise every rank throws: its own exception where there is
/// one, elsewhere the lowest such rank's (Misuse and std::bad_alloc by type, anything else as std::runtime_error).
void settle(const Communicator& communicator, const std::exception_ptr& mine);

/// The first exception of some work on this rank, kept until all ranks are at a place where it can be thrown.
class DeferredException {
 public:
  /// Runs `work`, unless there is an exception already.
  template <std::invocable Work>
  void run(Work&& work) {
    if (kept_) return;
    try {
      std::forward<Work>(work)();
    } catch (...) {
      kept_ = std::current_exception();
    }
  }

  const std::exception_ptr& kept() const { return kept_; }  ///< null, if there is none

  /// Collective. Throws on every rank if there is an exception on one.
  void settle(const Communicator& communicator) const { detail::settle(communicator, kept_); }

 private:
  std::exception_ptr kept_;
};

/// Collective. Runs `work`, which must not communicate, on every rank; throws on all of them if it throws on one.
template <std::invocable Work>
void collectively(const Communicator& communicator, Work&& work) {
  DeferredException exception;
  exception.run(std::forward<Work>(work));
  exception.settle(communicator);
}

/// The arguments of one collective call, checked on each rank and compared between the ranks before any of them blocks.
class Agreement {
 public:
  explicit Agreement(std::string operation) { same("operation", std::move(operation)); }

  /// `argument` must have this value on every rank.
  void same(std::string argument, std::string value) { record_.emplace_back(std::move(argument), std::move(value)); }
  void same(std::string argument, std::integral auto value) { same(std::move(argument), std::to_string(value)); }
  void same(std::string argument, double value);

  /// Runs a check of this rank's own arguments; what the first failing one throws is kept for settle().
  template <std::invocable Check>
  void check(Check&& check) {
    fault_.run(std::forward<Check>(check));
  }

  /// Collective. Throws on every rank if a check failed on one, or if the ranks disagree.
  void settle(const Communicator& communicator) const;

 private:
  std::vector<std::pair<std::string, std::string>> record_;
  DeferredException fault_;
};

}  // namespace tessera::detail
