// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/detail/strided.hpp"

#include "kernels/instantiate.hpp"

namespace tessera::detail {
namespace {

template <class T>
struct Gather {
  Strided<const T> from;
  T* to;
  KOKKOS_FUNCTION void operator()(std::int64_t k) const { to[k] = from[k]; }
};

template <class T>
struct Scatter {
  const T* from;
  Strided<T> to;
  KOKKOS_FUNCTION void operator()(std::int64_t k) const { to[k] = from[k]; }
};

/// The same elements in the same order, by as few extents as that takes.
template <class T>
Strided<T> collapsed(const Strided<T>& s) {
  Strided<T> result{s.data};
  for (int r = 0; r < s.rank; ++r) {
    if (result.rank > 0 && result.stride[result.rank - 1] == s.extent[r] * s.stride[r]) {
      result.extent[result.rank - 1] *= s.extent[r];
    } else {
      result.extent[result.rank++] = s.extent[r];
    }
    result.stride[result.rank - 1] = s.stride[r];
  }
  return result;
}

template <class Exec>
using Range = Kokkos::RangePolicy<Exec, Kokkos::IndexType<std::int64_t>>;

}  // namespace

template <class T, class Exec>
void gather(const Exec& exec, const Strided<const T>& from, T* to) {
  if (from.size() == 0) return;
  Kokkos::parallel_for("tessera::solve::gather", Range<Exec>(exec, 0, from.size()), Gather<T>{collapsed(from), to});
}

template <class T, class Exec>
void scatter(const Exec& exec, const T* from, const Strided<T>& to) {
  if (to.size() == 0) return;
  Kokkos::parallel_for("tessera::solve::scatter", Range<Exec>(exec, 0, to.size()), Scatter<T>{from, collapsed(to)});
}

#define TESSERA_INSTANTIATE_STRIDED(T, Exec)                               \
  template void gather<T, Exec>(const Exec&, const Strided<const T>&, T*); \
  template void scatter<T, Exec>(const Exec&, const T*, const Strided<T>&);
#define TESSERA_INSTANTIATE_STRIDEDS(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_STRIDED, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_STRIDEDS)

}  // namespace tessera::detail
