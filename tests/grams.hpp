// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "jacobians.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

// Gram matrices that are assembled, and what they should be.
namespace tessera::testing {

using Exec = Kokkos::DefaultExecutionSpace;
using Space = Exec::memory_space;

/// body(i, j, A(i, j)) for this rank's elements with i >= j.
template <class T, class Body>
void for_each_element(const ShardedMatrix<T>& matrix, const Body& body) {
  const HostTiles<T, Space> tiles(matrix);
  for (GlobalTile i{0}; i < matrix.rows().tiles_end(); ++i) {
    for (GlobalTile j{0}; j <= i && j < matrix.columns().tiles_end(); ++j) {
      if (!matrix.has_tile(i, j)) continue;
      const auto tile = tiles(i, j);
      for (std::int64_t r = 0; r < matrix.rows().extent(i); ++r) {
        for (std::int64_t c = 0; c < matrix.columns().extent(j); ++c) {
          const std::int64_t row = matrix.rows().begin(i).value + r;
          const std::int64_t column = matrix.columns().begin(j).value + c;
          if (row >= column) body(row, column, tile(r, c));
        }
      }
    }
  }
}

/// What `matrix` holds of the reference is added to `start(i, j)`.
template <class T, class F>
void expect_gram(const ShardedMatrix<T>& matrix, const std::vector<Wide>& expected, const GramReference& reference,
                 const F& start) {
  long double worst = 0;
  for_each_element(matrix, [&](std::int64_t i, std::int64_t j, const T& x) {
    const Wide value = expected[static_cast<std::size_t>(i * matrix.n() + j)] + wide(T(start(i, j)));
    const long double error = std::abs(wide(x) - value);
    worst = std::isnan(error) ? error : std::max(worst, error);
  });
  EXPECT_LE(worst, reference.error(epsilon<T>()) + 8 * epsilon<T>());
}

inline std::vector<Wide> all_of(const GramReference& reference) {
  std::vector<Wide> all;
  for (std::int64_t i = 0; i < reference.n(); ++i) {
    for (std::int64_t j = 0; j < reference.n(); ++j) all.push_back(i < j ? Wide(0) : reference(i, j));
  }
  return all;
}

template <class T>
struct Start {
  KOKKOS_FUNCTION T operator()(std::int64_t i, std::int64_t j) const { return T(i == j ? 3 : 1); }
};

template <class T>
struct GramTest : ::testing::Test {
  MPI_Comm comm = MPI_COMM_WORLD;
  int rank = rank_in(comm);
  int ranks = size_of(comm);

  template <class J>
  ShardedMatrix<T> assembled(const J& jacobian, const GramOptions& options, GridShape grid, std::int64_t n,
                             std::int64_t tile, std::int64_t slab) const {
    ShardedMatrix<T> matrix(ProcessGrid(comm, grid), n, tile, slab);
    matrix.fill(Exec{}, Start<T>{});
    add_gram(Exec{}, Gram{jacobian, options}, matrix);
    return matrix;
  }
};

}  // namespace tessera::testing
