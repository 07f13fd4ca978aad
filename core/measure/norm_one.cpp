// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/norm_one.hpp"

#include "core/exchange/communicator.hpp"
#include "core/exchange/rank_sum.hpp"
#include "core/exchange/transfers.hpp"
#include "core/matrix/workspace.hpp"
#include "core/measure/magnitude.hpp"
#include "core/timed.hpp"
#include "kernels/backend.hpp"
#include "kernels/instantiate.hpp"
#include "tessera/detail/row_sums.hpp"
#include "tessera/detail/strided.hpp"

#include <cmath>
#include <cstdint>
#include <optional>
#include <vector>

namespace tessera::detail {
namespace {

/// The row that an element is in, up to the diagonal.
template <class T>
struct AddMagnitude {
  KOKKOS_FUNCTION void operator()(double& sum, const T& a, std::int64_t i, std::int64_t j) const {
    sum += i == j ? magnitude(real(a)) : magnitude(a);
  }
};

/// sums[j] += sum over i > j of |A(i, j)|: the rest of row j. On a device a team has a column.
template <class T, class Exec>
struct AddColumnSums {
  using MemorySpace = typename Exec::memory_space;

  LocalBlock<T, MemorySpace> slab;
  double* sums;

  KOKKOS_FUNCTION std::int64_t first_row_below(GlobalIndex j) const {
    return slab.rows.local_lower_bound(j + 1) - slab.row_begin;
  }

  KOKKOS_FUNCTION void operator()(std::int64_t column) const {
    const GlobalIndex j = slab.global_column(column);
    double sum = 0;
    const auto rows = static_cast<std::int64_t>(slab.a.extent(0));
    for (std::int64_t row = first_row_below(j); row < rows; ++row) sum += magnitude(slab.a(row, column));
    sums[j.value] += sum;
  }

  KOKKOS_FUNCTION void operator()(const typename Kokkos::TeamPolicy<Exec>::member_type& team) const {
    const std::int64_t column = team.league_rank();
    const GlobalIndex j = slab.global_column(column);
    double sum = 0;
    Kokkos::parallel_reduce(
        Kokkos::TeamThreadRange(team, first_row_below(j), static_cast<std::int64_t>(slab.a.extent(0))),
        [&](std::int64_t row, double& partial) { partial += magnitude(slab.a(row, column)); }, sum);
    Kokkos::single(Kokkos::PerTeam(team), [&] { sums[j.value] += sum; });
  }
};

template <class T, class Exec>
void add_column_sums(const char* label, const Exec& exec, const ShardedMatrix<T, typename Exec::memory_space>& matrix,
                     double* sums) {
  const SlabLayout& layout = matrix.layout();
  for (std::int64_t s = 0; s < layout.count(); ++s) {
    const AddColumnSums<T, Exec> add{matrix.slab_block(s), sums};
    if constexpr (kernels::is_host<Exec>) {
      Kokkos::parallel_for(label, Kokkos::RangePolicy<Exec, Kokkos::IndexType<std::int64_t>>(exec, 0, layout.width(s)),
                           add);
    } else {
      Kokkos::parallel_for(label, Kokkos::TeamPolicy<Exec>(exec, static_cast<int>(layout.width(s)), 256), add);
    }
  }
}

template <class MemorySpace>
struct NormBuffers {
  NormBuffers(Workspace<MemorySpace>& workspace, std::int64_t n, int ranks)
      : sums(workspace.template take<double>(n)),
        room(workspace.template take<double>(ranks, share_of_sums(n, ranks))) {}

  double* sums;
  double* room;  // for those of other ranks
};

}  // namespace

template <class T, class Exec>
double norm_one(const Exec& exec, const ShardedMatrix<T, typename Exec::memory_space>& matrix,
                Memory<typename Exec::memory_space>& memory) {
  using MemorySpace = typename Exec::memory_space;
  const Region region("tessera::norm_one");
  const ProcessGrid& grid = matrix.grid();
  if (matrix.n() == 0) return 0;
  std::optional<Transfers<Exec>> transfers;
  std::vector<double> sums;
  collectively(grid.communicator(), [&] {
    sums.resize(static_cast<std::size_t>(matrix.n()));
    const auto buffers = buffers_in<NormBuffers<MemorySpace>>(memory, matrix.n(), grid.size());
    transfers.emplace(grid, memory);
    fill("tessera::norm_one::set_zero", exec, buffers.sums, matrix.n(), 0.0);
    add_row_sums<T>("tessera::norm_one::row_sums", exec, matrix, AddMagnitude<T>{}, buffers.sums);
    add_column_sums<T>("tessera::norm_one::column_sums", exec, matrix, buffers.sums);
    sum_over_ranks(exec, grid, *transfers, buffers.sums, matrix.n(), buffers.room);
    copy_to_host<Exec, double>(exec, buffers.sums, sums.data(), matrix.n());
  });
  double norm = 0;
  for (const double sum : sums) {
    if (sum > norm || std::isnan(sum)) norm = sum;  // nothing is more than a NaN
  }
  return norm;
}

#define TESSERA_INSTANTIATE_NORM(T, Exec)                                                              \
  template double norm_one<T, Exec>(const Exec&, const ShardedMatrix<T, typename Exec::memory_space>&, \
                                    Memory<typename Exec::memory_space>&);
#define TESSERA_INSTANTIATE_NORMS(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_NORM, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_NORMS)

}  // namespace tessera::detail
