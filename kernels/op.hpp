// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace tessera::kernels {

/// A matrix as it is, or its conjugate transpose.
enum class Op { none, conj_transpose };

/// What a BLAS calls it.
constexpr const char* blas_name(Op op) { return op == Op::none ? "N" : "C"; }

}  // namespace tessera::kernels
