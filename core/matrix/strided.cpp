// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/detail/strided.hpp"

#include "kernels/elementwise.hpp"
#include "kernels/instantiate.hpp"

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

/// The same elements in the same order, by as few extents as that takes.
template <class T>
Both<T> collapsed(const Strided<const T>& from, const Strided<T>& to) {
  Both<T> result{{from.data}, {to.data}};
  int rank = 0;
  for (int r = 0; r < from.rank; ++r) {
    const std::int64_t extent = from.extent[r];
    if (extent == 1) continue;
    const auto goes_on = [&](const auto& done, const auto& s) {
      return rank > 0 && done.stride[rank - 1] == extent * s.stride[r];
    };
    const bool merges = goes_on(result.from, from) && goes_on(result.to, to);
    const int at = merges ? rank - 1 : rank++;
    const auto put = [&](auto& done, const auto& s) {
      done.extent[at] = merges ? done.extent[at] * extent : extent;
      done.stride[at] = s.stride[r];
    };
    put(result.from, from);
    put(result.to, to);
  }
  result.from.rank = result.to.rank = rank;
  return result;
}

}  // namespace

template <class T, class Exec>
void copy_elements(const Exec& exec, const Strided<const T>& from, const Strided<T>& to) {
  constexpr const char* label = "tessera::copy_elements";
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
  template void copy_elements<T, Exec>(const Exec&, const Strided<const T>&, const Strided<T>&);
#define TESSERA_INSTANTIATE_STRIDEDS(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_STRIDED, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_STRIDEDS)

}  // namespace tessera::detail
