// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kernels/backend.hpp"
#include "kernels/square_sum.hpp"

#include <Kokkos_Core.hpp>

#include <cstdint>

namespace tessera::detail {

/// Adds the squares of a piece of X, as `element(at, row, term)` has its numbers, to the sums of its rows. A team takes
/// some rows, and its threads every so many of a row's terms: neighbours in memory at the same time.
template <class T, class Exec, class Element>
struct AddSquares {
  using Member = typename Kokkos::TeamPolicy<Exec>::member_type;
  static constexpr int threads = 256;
  static constexpr int scratch_bytes = threads * static_cast<int>(sizeof(kernels::SquareSum)) + 16;

  const T* data;
  std::int64_t row_stride;
  std::int64_t term_stride;
  std::int64_t rows;
  std::int64_t terms;
  Element element;
  kernels::SquareSum* sums;

  KOKKOS_FUNCTION int rows_of_team() const { return term_stride < row_stride ? 8 : 32; }

  KOKKOS_FUNCTION void operator()(const Member& team) const {
    auto* const parts = static_cast<kernels::SquareSum*>(
        team.team_scratch(0).get_shmem_aligned(threads * sizeof(kernels::SquareSum), alignof(kernels::SquareSum)));
    const int height = rows_of_team();
    const int width = threads / height;
    const std::int64_t first = std::int64_t{team.league_rank()} * height;
    Kokkos::parallel_for(Kokkos::TeamThreadRange(team, threads), [&](int k) {
      const int i = term_stride < row_stride ? k / width : k % height;
      const int part = term_stride < row_stride ? k % width : k / height;
      kernels::SquareSum sum;
      if (first + i < rows) {
        for (std::int64_t term = part; term < terms; term += width) {
          sum.add(element(data + ((first + i) * row_stride + term * term_stride), first + i, term));
        }
      }
      parts[i * width + part] = sum;
    });
    team.team_barrier();
    Kokkos::parallel_for(Kokkos::TeamThreadRange(team, height), [&](int i) {
      if (first + i >= rows) return;
      for (int part = 0; part < width; ++part) sums[first + i].add(parts[i * width + part]);
    });
  }

  void run(const Exec& exec) const {
    if (rows == 0 || terms == 0) return;
    const auto teams = static_cast<int>((rows + rows_of_team() - 1) / rows_of_team());
    Kokkos::parallel_for("tessera::gram::squares",
                         Kokkos::TeamPolicy<Exec>(exec, teams, kernels::is_host<Exec> ? 1 : threads)
                             .set_scratch_size(0, Kokkos::PerTeam(int{scratch_bytes})),
                         *this);
  }
};

}  // namespace tessera::detail
