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

// How an exception on one rank becomes an exception on all of them, so that none waits for a rank that has left.
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

/// Collective. A duplicate of `comm`. Throws Misuse on this rank alone if it cannot communicate at all: if `comm` is
/// null or an inter-communicator, or MPI is not running.
std::shared_ptr<const Communicator> duplicate(MPI_Comm comm);

/// Collective. Returns if every rank passes null. Otherwise every rank throws: its own exception if it has one, else
/// that of the lowest rank that has (Misuse and std::bad_alloc as such, anything else as a std::runtime_error).
void settle(const Communicator& communicator, const std::exception_ptr& mine);

/// The first exception of this rank's work, kept until all ranks have reached a place where they can throw.
class DeferredException {
 public:
  /// Runs `work`, unless an exception is already kept.
  template <std::invocable Work>
  void run(Work&& work) {
    if (kept_) return;
    try {
      std::forward<Work>(work)();
    } catch (...) {
      kept_ = std::current_exception();
    }
  }

  const std::exception_ptr& kept() const { return kept_; }  ///< null if there is none

  /// Collective. Throws on every rank if one keeps an exception.
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

/// The arguments of one collective call: checked on each rank, and compared between the ranks, before any rank waits
/// for another's data.
class Agreement {
 public:
  explicit Agreement(std::string operation) { same("operation", std::move(operation)); }

  /// `argument` must have this value on every rank.
  void same(std::string argument, std::string value) { record_.emplace_back(std::move(argument), std::move(value)); }
  void same(std::string argument, std::integral auto value) { same(std::move(argument), std::to_string(value)); }
  void same(std::string argument, double value);

  /// Checks this rank's own arguments; settle() throws what the first failing check throws.
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
