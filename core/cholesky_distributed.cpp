// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/cholesky_distributed.hpp"

#include "core/exchange/communicator.hpp"

#include <cmath>
#include <string>

namespace tessera {

namespace detail {

int size_of(const Communicator& communicator) { return communicator.size(); }

double shift_of_try(const CholeskyOptions& options, std::size_t number) {
  const ShiftLadder& shifts = options.shifts;
  if (number == 0) return options.diag_shift;
  return options.diag_shift + shifts.first * std::pow(shifts.factor, static_cast<double>(number - 1));
}

void require_shifts(const CholeskyOptions& options, double most) {
  const ShiftLadder& shifts = options.shifts;
  require_shift(options.diag_shift, most);
  if (shifts.tries < 1) throw_misuse("shifts.tries", "must be at least 1, got " + std::to_string(shifts.tries));
  if (shifts.tries == 1) return;
  // A NaN is neither more nor less.
  if (!(shifts.first > 0)) throw_misuse("shifts.first", "must be positive, got " + std::to_string(shifts.first));
  if (!(shifts.factor > 1)) throw_misuse("shifts.factor", "must be more than 1, got " + std::to_string(shifts.factor));
  const double largest = shift_of_try(options, static_cast<std::size_t>(shifts.tries) - 1);
  if (!(std::abs(largest) <= most)) {
    throw_misuse("shifts", "lead to a last shift of " + std::to_string(largest) + ", which the scalar can't hold");
  }
}

void describe_options(Agreement& agreement, const CholeskyOptions& options, int ranks) {
  const GridShape grid = options.grid.value_or(nearly_square(ranks));
  if (options.local_tile_size < 0) {
    throw_misuse("local_tile_size", "extent must not be negative, got " + std::to_string(options.local_tile_size));
  }
  require_grid("grid", grid, ranks);
  if (options.on_failure != Failure::raise && options.on_failure != Failure::fill_nan) {
    throw_misuse("on_failure",
                 "must be raise or fill_nan, got " + std::to_string(static_cast<int>(options.on_failure)));
  }
  require_triangle(options.triangle);
  require_arithmetic(options.arithmetic, options.moduli);
  require_mpi_buffers(options.mpi_buffers);
  agreement.same("local_tile_size", options.local_tile_size);
  agreement.same("grid rows", grid.rows);
  agreement.same("grid cols", grid.cols);
  agreement.same("diag_shift", options.diag_shift);
  agreement.same("shifts.tries", options.shifts.tries);
  agreement.same("shifts.first", options.shifts.first);
  agreement.same("shifts.factor", options.shifts.factor);
  agreement.same("on_failure", static_cast<int>(options.on_failure));
  agreement.same("triangle", static_cast<int>(options.triangle));
  agreement.same("mpi_buffers", static_cast<int>(options.mpi_buffers));
  agreement.same("arithmetic", static_cast<int>(options.arithmetic));
  agreement.same("moduli", options.moduli);
  describe_bytes_free(agreement, options.bytes_free);
}

}  // namespace detail
}  // namespace tessera
