#pragma once

namespace tessera::kernels {

/// A matrix as it is, or its conjugate transpose.
enum class Op { none, conj_transpose };

}  // namespace tessera::kernels
