// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "perf/compare_host/fortran.hpp"
#include "perf/compare_host/problem.hpp"

#include <tessera/distribution.hpp>
#include <tessera/process_grid.hpp>

#include <algorithm>
#include <array>
#include <cstdint>

// Matrices as ScaLAPACK holds them.
namespace tessera::perf {

struct FromLocal {
  BlockCyclic dimension;
  KOKKOS_FUNCTION std::int64_t operator()(std::int64_t i) const { return dimension.to_global(LocalIndex{i}).value; }
};

template <class T>
struct Distributed {
  BlockCyclic rows;
  BlockCyclic columns;
  typename Problem<T>::Matrix local;
  std::array<int, 9> desc{};

  Distributed() = default;
  Distributed(GridShape grid, int rank, int context, std::int64_t m, std::int64_t n, int block)
      : rows{m, block, grid.rows, rank / grid.cols}, columns{n, block, grid.cols, rank % grid.cols} {
    const int rows_all = static_cast<int>(m);
    const int columns_all = static_cast<int>(n);
    const int zero = 0;
    const int lld = static_cast<int>(std::max<std::int64_t>(1, rows.local_extent()));
    int info = 0;
    descinit_(desc.data(), &rows_all, &columns_all, &block, &block, &zero, &zero, &context, &lld, &info);
    require_success("descinit", info);
  }

  template <class Body>
  void for_each(const Body& body) const {
    for (std::int64_t c = 0; c < columns.local_extent(); ++c) {
      for (std::int64_t r = 0; r < rows.local_extent(); ++r) body(r, c, FromLocal{rows}(r), FromLocal{columns}(c));
    }
  }
};

}  // namespace tessera::perf
