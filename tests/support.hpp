// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "matrices.hpp"

#include <tessera/tessera.hpp>

#include <gtest/gtest.h>
#include <mpi.h>
#include <Kokkos_Core.hpp>

#include <cmath>
#include <complex>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

// What the tests have in common.
namespace tessera::testing {

#ifdef TESSERA_TEST_TWO_SCALARS
using Scalars = ::testing::Types<double, Kokkos::complex<float>>;
#else
using Scalars = ::testing::Types<float, double, Kokkos::complex<float>, Kokkos::complex<double>>;
#endif

/// Long enough to check any of the four against.
using Wide = std::complex<long double>;

template <class T>
Wide wide(const T& x) {
  if constexpr (is_complex<T>) {
    return {x.real(), x.imag()};
  } else {
    return {x, 0};
  }
}
inline Wide wide(const Wide& x) { return x; }

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

/// Where rank r's rows begin: `begins[r]`..`begins[r + 1]`.
using Shards = std::vector<std::int64_t>;

inline Shards even_shards(std::int64_t n, int ranks) {
  Shards begins;
  for (int r = 0; r <= ranks; ++r) begins.push_back(n * r / ranks);
  return begins;
}
/// Uneven, every third rank without rows (where there are several ranks).
inline Shards ragged_shards(std::int64_t n, int ranks) {
  std::int64_t weights = 0;
  for (int r = 0; r < ranks; ++r) weights += r % 3 == 1 ? 0 : r + 1;
  Shards begins{0};
  std::int64_t sum = 0;
  for (int r = 0; r < ranks; ++r) {
    sum += r % 3 == 1 ? 0 : r + 1;
    begins.push_back(n * sum / weights);
  }
  return begins;
}

/// This rank's rows of A(i, j) = f(i, j); outside `triangle`, NaN, and on the diagonal an imaginary part to be ignored.
template <class View, class F>
View make_rows(const Shards& shards, int rank, std::int64_t n, const F& f, Triangle triangle = Triangle::lower) {
  using T = typename View::non_const_value_type;
  const std::int64_t begin = shards[static_cast<std::size_t>(rank)];
  const std::int64_t rows = shards[static_cast<std::size_t>(rank) + 1] - begin;
  View a("a", static_cast<std::size_t>(rows), static_cast<std::size_t>(n));
  const auto host = Kokkos::create_mirror_view(a);
  const T nan = scalar<T>(NAN, NAN);
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      const bool read = triangle == Triangle::lower ? begin + i >= j : begin + i <= j;
      host(i, j) = !read ? nan : f(begin + i, j);
      if (begin + i == j) host(i, j) += scalar<T>(0, 3);
    }
  }
  Kokkos::deep_copy(a, host);
  return a;
}

/// Element k of a View in C order, whatever its layout.
template <class View>
KOKKOS_FUNCTION typename View::reference_type element(const View& v, std::int64_t k) {
  constexpr int rank = static_cast<int>(View::rank);
  static_assert(rank <= 4);
  std::int64_t i[4] = {};
  for (int r = rank; r-- > 0;) {
    const auto extent = static_cast<std::int64_t>(v.extent(static_cast<std::size_t>(r)));
    i[r] = k % extent;
    k /= extent;
  }
  if constexpr (rank == 0) {
    return v();
  } else if constexpr (rank == 1) {
    return v(i[0]);
  } else if constexpr (rank == 2) {
    return v(i[0], i[1]);
  } else if constexpr (rank == 3) {
    return v(i[0], i[1], i[2]);
  } else {
    return v(i[0], i[1], i[2], i[3]);
  }
}

template <class From, class To>
struct CopyElements {
  From from;
  To to;
  KOKKOS_FUNCTION void operator()(std::int64_t k) const { element(to, k) = element(from, k); }
};

/// Where tests keep numbers to look at: n x nrhs, in C order.
template <class T>
using HostMatrix = Kokkos::View<T**, Kokkos::LayoutRight, Kokkos::HostSpace>;

/// to = from, in C order, within one memory space; layouts and ranks may differ.
template <class From, class To>
void copy_elements(const From& from, const To& to) {
  using Exec = typename To::execution_space;
  Kokkos::parallel_for(
      "test::copy_elements",
      Kokkos::RangePolicy<Exec, Kokkos::IndexType<std::int64_t>>(Exec{}, 0, static_cast<std::int64_t>(from.size())),
      CopyElements<From, To>{from, to});
  Exec{}.fence();
}

/// The numbers of a View of any layout and space: as many rows as its first extent.
template <class View>
HostMatrix<typename View::non_const_value_type> to_host(const View& v) {
  using T = typename View::non_const_value_type;
  const std::size_t rows = View::rank == 0 ? 1 : v.extent(0);
  const HostMatrix<T> host("host", rows, rows > 0 ? v.size() / rows : 0);
  const Kokkos::View<T**, Kokkos::LayoutRight, typename View::memory_space> there("there", host.extent(0),
                                                                                  host.extent(1));
  copy_elements(v, there);
  Kokkos::deep_copy(host, there);
  return host;
}

/// A matrix's tiles on the host, all brought there at once: one by one takes a device long.
template <class T, class Space>
class HostTiles {
 public:
  explicit HostTiles(const ShardedMatrix<T, Space>& matrix) : matrix_(matrix) {
    const SlabLayout& layout = matrix.layout();
    const LocalIndex end{layout.rows.local_extent()};
    for (std::int64_t s = 0; s < layout.count(); ++s) {
      there_.push_back(matrix.view(layout.row_begin(s), end, layout.column_begin(s), layout.column_begin(s + 1)));
      here_.push_back(to_host(there_.back()));
    }
  }

  /// What matrix.tile(i, j) shows.
  auto operator()(GlobalTile i, GlobalTile j) const {
    const auto tile = matrix_.tile(i, j);
    std::size_t slab = there_.size() - 1;
    while (tile.data() < there_[slab].data()) --slab;
    const auto offset = static_cast<std::size_t>(tile.data() - there_[slab].data());
    const std::size_t row = offset % there_[slab].stride(1);
    const std::size_t column = offset / there_[slab].stride(1);
    return Kokkos::subview(here_[slab], Kokkos::make_pair(row, row + tile.extent(0)),
                           Kokkos::make_pair(column, column + tile.extent(1)));
  }

 private:
  const ShardedMatrix<T, Space>& matrix_;
  std::vector<MatrixView<T, Space>> there_;
  std::vector<HostMatrix<T>> here_;
};

/// Element k of `v`, in C order, becomes f(k); f is called on the host.
template <class View, class F>
void set(const View& v, const F& f) {
  const Kokkos::View<typename View::value_type*, typename View::memory_space> there("there", v.size());
  const auto host = Kokkos::create_mirror_view(there);
  for (std::size_t k = 0; k < v.size(); ++k) host(k) = f(static_cast<std::int64_t>(k));
  Kokkos::deep_copy(there, host);
  copy_elements(there, v);
}

/// Right-hand sides: the same numbers for any layout of `v`.
template <class View>
void set_noise(const View& v, std::uint64_t seed) {
  using T = typename View::value_type;
  set(v, [seed](std::int64_t k) { return scalar<T>(noise(k, 0, seed), noise(k, 1, seed)); });
}

template <class T>
bool same_bits(const HostMatrix<T>& a, const HostMatrix<T>& b) {
  return a.size() == b.size() && (a.size() == 0 || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

/// ||b - A x|| / (||A|| ||x|| + ||b||) in the Frobenius norms, A(i, j) = f(i, j) with `shift` added to its diagonal,
/// computed in long double; NaN, and so above every bound, where x is. `x` and `b` are n x nrhs host Views.
template <class F, class X, class B>
double backward_error(std::int64_t n, const F& f, double shift, const X& x, const B& b) {
  const auto nrhs = static_cast<std::int64_t>(x.extent(1));
  long double norm_a = 0;
  long double norm_x = 0;
  long double norm_b = 0;
  long double norm_r = 0;
  std::vector<Wide> row(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      Wide a = wide(f(i, j));
      if (i == j) a += static_cast<long double>(shift);
      norm_a += std::norm(a);
      row[static_cast<std::size_t>(j)] = a;
    }
    for (std::int64_t c = 0; c < nrhs; ++c) {
      Wide r = wide(b(i, c));
      for (std::int64_t j = 0; j < n; ++j) r -= row[static_cast<std::size_t>(j)] * wide(x(j, c));
      norm_r += std::norm(r);
      norm_x += std::norm(wide(x(i, c)));
      norm_b += std::norm(wide(b(i, c)));
    }
  }
  const long double scale = std::sqrt(norm_a) * std::sqrt(norm_x) + std::sqrt(norm_b);
  if (norm_r == 0) return 0;  // what is not finite gives a NaN
  return static_cast<double>(std::sqrt(norm_r) / scale);
}

/// From 0 to 3: what does not depend on the scalar, and takes long, is dealt out among the four of them.
template <class T>
constexpr std::size_t scalar_number = (is_complex<T> ? 2 : 0) + (sizeof(Real<T>) == sizeof(double) ? 1 : 0);

template <class T>
double epsilon() {
  return static_cast<double>(std::numeric_limits<Real<T>>::epsilon());
}

/// Whether `bytes` are the same on all ranks.
inline bool same_on_all_ranks(MPI_Comm comm, const void* data, std::size_t bytes) {
  std::vector<char> mine(static_cast<const char*>(data), static_cast<const char*>(data) + bytes);
  std::vector<char> first = mine;
  MPI_Bcast(first.data(), static_cast<int>(bytes), MPI_BYTE, 0, comm);
  int same = mine == first ? 1 : 0;
  MPI_Allreduce(MPI_IN_PLACE, &same, 1, MPI_INT, MPI_MIN, comm);
  return same == 1;
}

template <class T>
bool same_on_all_ranks(MPI_Comm comm, const HostMatrix<T>& a) {
  return same_on_all_ranks(comm, a.data(), a.size() * sizeof(T));
}

/// All grids of `ranks` processes.
inline std::vector<GridShape> all_grids(int ranks) {
  std::vector<GridShape> grids;
  for (int rows = 1; rows <= ranks; ++rows) {
    if (ranks % rows == 0) grids.push_back({rows, ranks / rows});
  }
  return grids;
}

/// The lower triangle of this rank's tiles.
template <class T>
std::vector<T> lower_tiles(const ShardedMatrix<T>& l) {
  std::vector<T> numbers;
  const HostTiles tiles(l);
  for (GlobalTile j{0}; j < l.columns().tiles_end(); ++j) {
    for (GlobalTile i = j; i < l.rows().tiles_end(); ++i) {
      if (!l.has_tile(i, j)) continue;
      const auto tile = tiles(i, j);
      for (std::size_t c = 0; c < tile.extent(1); ++c) {
        for (std::size_t r = i == j ? c : 0; r < tile.extent(0); ++r) numbers.push_back(tile(r, c));
      }
    }
  }
  return numbers;
}

}  // namespace tessera::testing
