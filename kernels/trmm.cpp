// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/backend.hpp"
#include "kernels/blas.hpp"
#include "kernels/compat.hpp"
#include "kernels/instantiate.hpp"

#include <cstdint>

namespace tessera::kernels {

template <class T, class Exec>
void trmm_left(Queue<Exec>& queue, Op op, const MatrixView<const T, typename Exec::memory_space>& l,
               const MatrixView<T, typename Exec::memory_space>& b) {
  if (b.size() == 0) return;
  if constexpr (is_host<Exec>) {
    compat::trmm<T>(queue.exec(), T(1), "L", blas_name(op), l, b);
  } else {
    queue.blas().trmm_left(*blas_name(op), static_cast<std::int64_t>(b.extent(0)),
                           static_cast<std::int64_t>(b.extent(1)), l.data(), static_cast<std::int64_t>(l.stride(1)),
                           b.data(), static_cast<std::int64_t>(b.stride(1)));
  }
}

#define TESSERA_INSTANTIATE_TRMM(T, Exec)                                                                     \
  template void trmm_left<T, Exec>(Queue<Exec>&, Op, const MatrixView<const T, typename Exec::memory_space>&, \
                                   const MatrixView<T, typename Exec::memory_space>&);
#define TESSERA_INSTANTIATE_TRMMS(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_TRMM, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_TRMMS)

}  // namespace tessera::kernels
