// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <tessera/options.hpp>
#include <tessera/process_grid.hpp>

#include <mpi.h>
#include <CLI/CLI.hpp>
#include <Kokkos_Core.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

// What the programs here have in common: arguments, and errors that end all ranks alike and are told once.
namespace tessera::perf {

/// What a program returns; 0 where all went well.
enum class ExitCode { failure = 1, misuse, not_positive_definite, not_finite, does_not_fit };

/// What ends a program with an exit code other than the one its kind of exception has.
class ProgramError : public std::runtime_error {
 public:
  ProgramError(ExitCode code, const std::string& what) : std::runtime_error(what), code_(code) {}

  ExitCode code() const noexcept { return code_; }

 private:
  ExitCode code_;
};

/// What is wrong with the arguments, beyond what CLI11 finds out.
class UsageError : public ProgramError {
 public:
  explicit UsageError(const std::string& what) : ProgramError(ExitCode::misuse, what) {}
};

/// A whole main(): reads the arguments into what `app` is bound to, and calls `body` with MPI and Kokkos running. What
/// it throws, on all ranks alike, becomes one line on stderr. Returns the exit code. --kokkos-... goes to Kokkos.
int run_program(CLI::App& app, int argc, char** argv, const std::function<void(MPI_Comm)>& body);

/// Collective. Runs `work`, which does not communicate; if it throws on one rank, a ProgramError that says the same is
/// thrown on all.
void everywhere(MPI_Comm comm, const std::function<void()>& work);

/// Prints to stdout, now.
void say(const std::string& text);

/// Whether so many numbers have a size in bytes that std::int64_t can hold, as Views and the library count them.
bool is_addressable(std::int64_t rows, std::int64_t columns, std::size_t bytes_each);

/// Grids, each written as RxC or as the two numbers.
std::vector<GridShape> parse_grids(const std::vector<std::string>& words);

/// Checks for options. CLI11's own name the largest double, and take 010 for 8.
CLI::Validator more_than_zero();
CLI::Validator zero_or_more();
CLI::Validator finite_number();
CLI::Validator whole_number(std::int64_t least, std::int64_t most = std::numeric_limits<std::int64_t>::max());

/// Binds --scalar to `name`, which becomes one of float, double, complex-float and complex-double.
CLI::Option* add_scalar_option(CLI::App& app, std::string& name);

/// Binds --arithmetic to `name`, and --moduli.
void add_arithmetic_options(CLI::App& app, std::string& name, int& moduli);
Arithmetic arithmetic_of(const std::string& name);
std::string name_of(Arithmetic arithmetic);
/// What they are made of; no moduli: native. The first of n columns alone may be multiplied by integers.
std::string describe_products(int moduli, std::int64_t columns, std::int64_t n);

/// visitor(T{}) for the scalar of that name.
template <class Visitor>
void with_scalar(const std::string& name, const Visitor& visitor) {
  if (name == "float") {
    visitor(float{});
  } else if (name == "double") {
    visitor(double{});
  } else if (name == "complex-float") {
    visitor(Kokkos::complex<float>{});
  } else {
    visitor(Kokkos::complex<double>{});
  }
}

inline std::size_t bytes_per_number(const std::string& scalar) {
  std::size_t bytes = 0;
  with_scalar(scalar, [&](auto number) { bytes = sizeof number; });
  return bytes;
}

inline int rank_in(MPI_Comm comm) {
  int rank = 0;
  MPI_Comm_rank(comm, &rank);
  return rank;
}

inline int size_of(MPI_Comm comm) {
  int size = 0;
  MPI_Comm_size(comm, &size);
  return size;
}

}  // namespace tessera::perf
