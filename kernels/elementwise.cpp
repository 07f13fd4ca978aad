// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/elementwise.hpp"

#include "kernels/instantiate.hpp"
#include "tessera/scalar.hpp"

namespace tessera::kernels {
namespace {

template <class T, class Space>
struct SetZero {
  MatrixView<T, Space> a;
  KOKKOS_FUNCTION void operator()(std::int64_t i, std::int64_t j) const { a(i, j) = T(0); }
};

template <class T, class Space>
struct SetIdentity {
  MatrixView<T, Space> a;
  KOKKOS_FUNCTION void operator()(std::int64_t i, std::int64_t j) const { a(i, j) = T(i == j ? 1 : 0); }
};

template <class T, class Space>
struct Copy {
  MatrixView<const T, Space> a;
  MatrixView<T, Space> b;
  KOKKOS_FUNCTION void operator()(std::int64_t i, std::int64_t j) const { b(i, j) = a(i, j); }
};

template <class T, class Space>
struct Add {
  MatrixView<const T, Space> a;
  MatrixView<T, Space> b;
  KOKKOS_FUNCTION void operator()(std::int64_t i, std::int64_t j) const { b(i, j) += a(i, j); }
};

template <class T, class Space>
struct ConjTranspose {
  MatrixView<const T, Space> a;
  MatrixView<T, Space> b;
  KOKKOS_FUNCTION void operator()(std::int64_t i, std::int64_t j) const { b(i, j) = detail::conj(a(j, i)); }
};

}  // namespace

template <class T, class Exec>
void set_zero(const Exec& exec, const MatrixView<T, typename Exec::memory_space>& a) {
  for_each<T>("tessera::elementwise::set_zero", exec, a, SetZero<T, typename Exec::memory_space>{a});
}

template <class T, class Exec>
void set_identity(const Exec& exec, const MatrixView<T, typename Exec::memory_space>& a) {
  for_each<T>("tessera::elementwise::set_identity", exec, a, SetIdentity<T, typename Exec::memory_space>{a});
}

template <class T, class Exec>
void copy(const Exec& exec, const MatrixView<const T, typename Exec::memory_space>& a,
          const MatrixView<T, typename Exec::memory_space>& b) {
  for_each<T>("tessera::elementwise::copy", exec, b, Copy<T, typename Exec::memory_space>{a, b});
}

template <class T, class Exec>
void add(const Exec& exec, const MatrixView<const T, typename Exec::memory_space>& a,
         const MatrixView<T, typename Exec::memory_space>& b) {
  for_each<T>("tessera::elementwise::add", exec, b, Add<T, typename Exec::memory_space>{a, b});
}

template <class T, class Exec>
void conj_transpose(const Exec& exec, const MatrixView<const T, typename Exec::memory_space>& a,
                    const MatrixView<T, typename Exec::memory_space>& b) {
  for_each<T>("tessera::elementwise::conj_transpose", exec, b, ConjTranspose<T, typename Exec::memory_space>{a, b});
}

#define TESSERA_INSTANTIATE_TWO(name, T, Exec)                                                      \
  template void name<T, Exec>(const Exec&, const MatrixView<const T, typename Exec::memory_space>&, \
                              const MatrixView<T, typename Exec::memory_space>&);
#define TESSERA_INSTANTIATE_ELEMENTWISE(T, Exec)                                                       \
  template void set_zero<T, Exec>(const Exec&, const MatrixView<T, typename Exec::memory_space>&);     \
  template void set_identity<T, Exec>(const Exec&, const MatrixView<T, typename Exec::memory_space>&); \
  TESSERA_INSTANTIATE_TWO(copy, T, Exec)                                                               \
  TESSERA_INSTANTIATE_TWO(add, T, Exec)                                                                \
  TESSERA_INSTANTIATE_TWO(conj_transpose, T, Exec)
#define TESSERA_INSTANTIATE_ELEMENTWISES(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_ELEMENTWISE, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_ELEMENTWISES)

}  // namespace tessera::kernels
