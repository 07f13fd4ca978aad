// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/detail/strided.hpp"

#include "kernels/elementwise.hpp"
#include "kernels/instantiate.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace tessera::detail {
namespace {

template <class T>
struct Both {
  Strided<const T> from;
  Strided<T> to;
};

template <class T>
struct CopyLine {
  Both<T> both;
  KOKKOS_FUNCTION void operator()(std::int64_t k) const { both.to[k] = both.from[k]; }
};

/// Along the last dimension, of which `first` has the first elements.
template <class T>
struct CopyLines {
  Both<T> first;
  std::int64_t from_stride;
  std::int64_t to_stride;
  KOKKOS_FUNCTION void operator()(std::int64_t i, std::int64_t line) const {
    (&first.to[line])[i * to_stride] = (&first.from[line])[i * from_stride];
  }
};

/// The same elements by as few extents as that takes, in the order of `to`, but that the longest one is the last.
template <class T>
Both<T> collapsed(const Strided<const T>& from, const Strided<T>& to) {
  std::array<int, Strided<T>::most_ranks> order{};
  const auto end = order.begin() + from.rank;
  for (int r = 0; r < from.rank; ++r) {  // std::stable_sort takes memory
    const auto done = order.begin() + r;
    const auto at = std::upper_bound(order.begin(), done, r, [&](int p, int q) { return to.stride[p] > to.stride[q]; });
    std::move_backward(at, done, done + 1);
    *at = r;
  }
  Both<T> result{{from.data}, {to.data}};
  int rank = 0;
  for (auto r = order.begin(); r != end; ++r) {
    const std::int64_t extent = from.extent[*r];
    if (extent == 1) continue;
    const auto goes_on = [&](const auto& done, const auto& s) {
      return rank > 0 && done.stride[rank - 1] == extent * s.stride[*r];
    };
    const bool merges = goes_on(result.from, from) && goes_on(result.to, to);
    const int at = merges ? rank - 1 : rank++;
    const auto put = [&](auto& done, const auto& s) {
      done.extent[at] = merges ? done.extent[at] * extent : extent;
      done.stride[at] = s.stride[*r];
    };
    put(result.from, from);
    put(result.to, to);
  }
  result.from.rank = result.to.rank = rank;
  if (rank > 1) {
    const auto longest = std::max_element(result.to.extent, result.to.extent + rank) - result.to.extent;
    const auto make_last = [&](auto& s) {
      std::swap(s.extent[longest], s.extent[rank - 1]);
      std::swap(s.stride[longest], s.stride[rank - 1]);
    };
    make_last(result.from);
    make_last(result.to);
  }
  return result;
}

}  // namespace

template <class T, class Exec>
void copy_elements(const char* label, const Exec& exec, const Strided<const T>& from, const Strided<T>& to) {
  const std::int64_t size = from.size();
  if (size == 0) return;
  Both<T> both = collapsed(from, to);
  if (both.from.rank < 2) {
    Kokkos::parallel_for(label, Kokkos::RangePolicy<Exec, Kokkos::IndexType<std::int64_t>>(exec, 0, size),
                         CopyLine<T>{both});
  } else {
    const int last = --both.from.rank;
    both.to.rank = last;
    const std::int64_t length = both.from.extent[last];
    kernels::for_each_index(label, exec, length, size / length,
                            CopyLines<T>{both, both.from.stride[last], both.to.stride[last]});
  }
}

#define TESSERA_INSTANTIATE_STRIDED(T, Exec) \
  template void copy_elements<T, Exec>(const char*, const Exec&, const Strided<const T>&, const Strided<T>&);
#define TESSERA_INSTANTIATE_STRIDEDS(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_STRIDED, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_STRIDEDS)

}  // namespace tessera::detail
