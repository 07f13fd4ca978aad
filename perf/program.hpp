#pragma once

#include <tessera/process_grid.hpp>

#include <mpi.h>
#include <CLI/CLI.hpp>
#include <Kokkos_Core.hpp>

#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

// What the programs here have in common: arguments, and errors that end all ranks alike and are told once.
namespace tessera::perf {

/// What is wrong with the arguments, beyond what CLI11 finds out.
class UsageError : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

/// A whole main(): reads the arguments into what `app` is bound to, and calls `body` with MPI and Kokkos running. What
/// it throws, on all ranks alike, becomes one line on stderr. Returns the exit code. --kokkos-... goes to Kokkos.
int run_program(CLI::App& app, int argc, char** argv, const std::function<void(MPI_Comm)>& body);

/// Collective. Runs `work`, which does not communicate; if it throws on one rank, std::runtime_error is thrown on all.
void everywhere(MPI_Comm comm, const std::function<void()>& work);

/// Grids, each written as RxC or as the two numbers.
std::vector<GridShape> parse_grids(const std::vector<std::string>& words);

/// A check for options: CLI11's own names the largest double.
CLI::Validator more_than_zero();

/// Binds --scalar to `name`, which becomes one of float, double, complex-float and complex-double.
CLI::Option* add_scalar_option(CLI::App& app, std::string& name);

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
