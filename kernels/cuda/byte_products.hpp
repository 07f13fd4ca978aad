// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cublasLt.h>
#include <cublas_v2.h>

#include <cstddef>
#include <cstdint>
#include <optional>

namespace tessera::kernels {

/// A matrix of bytes, or of their products, in each of some planes; column-major.
template <class Element>
struct Planes {
  Element* data;
  std::int64_t leading_dimension;
  std::int64_t plane;  // elements from a plane to the next
};

/// C = A^T B + beta C in each plane, of bytes, with sums in 32 bits: by the kernel of cuBLASLt that is the fastest for
/// large products. For several planes cuBLAS picks slower ones (by a tenth to a third, on an H200).
class ByteProducts {
 public:
  explicit ByteProducts(int multiprocessors) : multiprocessors_(multiprocessors) {}

  /// @param blas whose stream it works on
  void run(cublasHandle_t blas, void* workspace, std::size_t workspace_bytes, int planes, std::int64_t m,
           std::int64_t n, std::int64_t k, const Planes<const std::int8_t>& a, const Planes<const std::int8_t>& b,
           std::int32_t beta, const Planes<std::int32_t>& c);

 private:
  bool is_large(int planes, std::int64_t m, std::int64_t n) const;

  int multiprocessors_;
  bool has_looked_ = false;
  std::optional<cublasLtMatmulAlgo_t> fast_;
};

}  // namespace tessera::kernels
