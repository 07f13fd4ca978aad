#pragma once

#include "kernels/substitution.hpp"
#include "tessera/matrix_view.hpp"

#include <cstdint>

namespace tessera::kernels {

/// Inverts the blocks on the diagonal of a lower triangular L, as Substitution wants them: of substitution_block<T>
/// rows each, from the first row on, the last one perhaps of fewer. `inverses`: a column-major square of that size for
/// each, one after the other; what is above the diagonal, or beyond the last row, is left as it is.
template <class T, class Exec>
void invert_blocks(const Exec& exec, const MatrixView<const T, typename Exec::memory_space>& l, T* inverses);

}  // namespace tessera::kernels
