#include "tessera/cholesky_distributed.hpp"

#include "core/exchange/communicator.hpp"
#include "core/tuning.hpp"
#include "kernels/instantiate.hpp"

#include <cmath>
#include <string>

namespace tessera {

std::int64_t default_tile_size(std::int64_t n, int ranks, std::int64_t cap) {
  if (n < 0) detail::throw_misuse("n", "must not be negative, got " + std::to_string(n));
  if (ranks < 1) detail::throw_misuse("ranks", "must be at least 1, got " + std::to_string(ranks));
  return std::min(n, std::clamp<std::int64_t>(n / ranks, 64, std::max<std::int64_t>(64, cap)));
}

namespace detail {
template <class T, class MemorySpace>
std::int64_t tile_size_for(std::int64_t asked, std::int64_t n, GridShape grid) {
  return asked != 0 ? std::min(asked, n)
                    : default_tile_size(n, grid.rows * grid.cols, Tuning<MemorySpace>::tile_cap(grid));
}

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
}

#define TESSERA_INSTANTIATE_TILE(T, MemorySpace) \
  template std::int64_t tile_size_for<T, MemorySpace>(std::int64_t, std::int64_t, GridShape);
#define TESSERA_INSTANTIATE_TILES(MemorySpace) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_TILE, MemorySpace)
TESSERA_FOR_EACH_MEMORY_SPACE(TESSERA_INSTANTIATE_TILES)

}  // namespace detail
}  // namespace tessera
