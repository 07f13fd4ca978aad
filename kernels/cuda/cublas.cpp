// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/cuda/cublas.hpp"

#include "kernels/cuda/cublas_status.hpp"
#include "kernels/instantiate.hpp"
#include "tessera/scalar.hpp"

#include <algorithm>
#include <limits>
#include <type_traits>

namespace tessera::kernels {
namespace {

constexpr int as_int(std::int64_t x) { return static_cast<int>(x); }

template <class T>
constexpr std::int64_t most_rounds = std::is_same_v<T, Kokkos::complex<double>> ? 2 : 4;

/// For double cuBLAS's fast kernels move two numbers at a time, along columns. Where a row, or a term of the sums, is
/// left over it takes others for all of them (45 instead of 57 TF/s on an H200; other scalars have no such kernels): it
/// has a call of its own.
template <class T>
constexpr std::int64_t aligned_part(std::int64_t count) {
  return std::is_same_v<T, double> ? count / 2 * 2 : count;
}
/// From so many multiplications on that is faster, and where none of the sizes is small: these calls read a matrix.
constexpr double worth_a_call = 4e9;
constexpr std::int64_t least_size = 512;

constexpr cublasOperation_t operation(char op) { return op == 'N' ? CUBLAS_OP_N : CUBLAS_OP_C; }

/// What cuBLAS calls a scalar and what works on it.
template <class T>
struct Typed;
template <>
struct Typed<float> {
  using Scalar = float;
  static constexpr auto gemm = cublasSgemm;
  static constexpr auto gemv = cublasSgemv;
  static constexpr auto trmm = cublasStrmm;
};
template <>
struct Typed<double> {
  using Scalar = double;
  static constexpr auto gemm = cublasDgemm;
  static constexpr auto gemv = cublasDgemv;
  static constexpr auto trmm = cublasDtrmm;
};
template <>
struct Typed<Kokkos::complex<float>> {
  using Scalar = cuComplex;
  static constexpr auto gemm = cublasCgemm;
  static constexpr auto gemv = cublasCgemv;
  static constexpr auto trmm = cublasCtrmm;
};
template <>
struct Typed<Kokkos::complex<double>> {
  using Scalar = cuDoubleComplex;
  static constexpr auto gemm = cublasZgemm;
  static constexpr auto gemv = cublasZgemv;
  static constexpr auto trmm = cublasZtrmm;
};

template <class T>
const typename Typed<T>::Scalar* typed(const T* p) {
  return reinterpret_cast<const typename Typed<T>::Scalar*>(p);
}
template <class T>
typename Typed<T>::Scalar* typed(T* p) {
  return reinterpret_cast<typename Typed<T>::Scalar*>(p);
}

}  // namespace

Cublas::Kept::Kept(int multiprocessors) : byte_products(multiprocessors) {
  check(cublasCreate(&handle), "cublasCreate");
}

Cublas::Kept::~Kept() { cublasDestroy(handle); }

Cublas::Cublas(const Kokkos::Cuda& exec, void* workspace, std::shared_ptr<void>& handle)
    : multiprocessors_(exec.cuda_device_prop().multiProcessorCount) {
  if (!handle) handle = std::make_shared<Kept>(static_cast<int>(multiprocessors_));
  kept_ = std::static_pointer_cast<Kept>(handle);
  handle_ = kept_->handle;
  check(cublasSetStream(handle_, exec.cuda_stream()), "cublasSetStream");
  const auto address = reinterpret_cast<std::uintptr_t>(workspace);
  const std::uintptr_t aligned = (address + alignment - 1) / alignment * alignment;
  workspace_ = reinterpret_cast<void*>(aligned);
  check(cublasSetWorkspace(handle_, workspace_, workspace_bytes - alignment), "cublasSetWorkspace");
}

template <class T>
void Cublas::gemm(char op_a, char op_b, std::int64_t m, std::int64_t n, std::int64_t k, T alpha, const T* a,
                  std::int64_t lda, const T* b, std::int64_t ldb, T beta, T* c, std::int64_t ldc) const {
  if (n == 1 && op_b == 'N') {
    const bool plain = op_a == 'N';
    check(Typed<T>::gemv(handle_, operation(op_a), as_int(plain ? m : k), as_int(plain ? k : m), typed(&alpha),
                         typed(a), as_int(lda), typed(b), 1, typed(&beta), typed(c), 1),
          "cublas gemv");
    return;
  }
  const bool is_large = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k) >= worth_a_call &&
                        std::min({m, n, k}) >= least_size && (lda | ldb | ldc) % 2 == 0;
  const bool is_along_k = op_a != 'N' || op_b == 'N';
  const bool has_vectors = std::max({k * lda, k * ldb, n * ldb, n * ldc}) <= std::numeric_limits<int>::max();
  const std::int64_t most_rows = is_large && has_vectors ? aligned_part<T>(m) : m;
  const std::int64_t most_k = is_large && is_along_k ? aligned_part<T>(k) : k;
  // Of some rows of C the terms [from, to) of the sums.
  const auto call = [&](std::int64_t row, std::int64_t rows, std::int64_t from, std::int64_t to, T times_c) {
    const T* first_a = op_a == 'N' ? a + row + from * lda : a + from + row * lda;
    const T* first_b = op_b == 'N' ? b + from : b + from * ldb;
    check(Typed<T>::gemm(handle_, operation(op_a), operation(op_b), as_int(rows), as_int(n), as_int(to - from),
                         typed(&alpha), typed(first_a), as_int(lda), typed(first_b), as_int(ldb), typed(&times_c),
                         typed(c + row), as_int(ldc)),
          "cublas gemm");
  };
  for (std::int64_t row = 0; row < most_rows;) {
    const std::int64_t rows = rows_of_a_call(most_rows - row, n, k, most_rounds<T>);
    call(row, rows, 0, most_k, beta);
    row += rows;
  }
  if (most_k < k) call(0, most_rows, most_k, k, T(1));
  if constexpr (std::is_same_v<T, double>) {
    if (most_rows == m) return;
    const bool is_plain = op_a == 'N';
    const bool is_transposed = op_b != 'N';
    check(cublasDgemv(handle_, is_transposed ? CUBLAS_OP_N : CUBLAS_OP_T, as_int(is_transposed ? n : k),
                      as_int(is_transposed ? k : n), &alpha, b, as_int(ldb),
                      is_plain ? a + most_rows : a + most_rows * lda, is_plain ? as_int(lda) : 1, &beta, c + most_rows,
                      as_int(ldc)),
          "cublas gemv");
  }
}

void Cublas::multiply_bytes(int planes, std::int64_t m, std::int64_t n, std::int64_t k,
                            const Planes<const std::int8_t>& a, const Planes<const std::int8_t>& b,
                            const Planes<std::int32_t>& c, bool accumulates) const {
  kept_->byte_products.run(handle_, workspace_, workspace_bytes - alignment, planes, m, n, k, a, b, accumulates ? 1 : 0,
                           c);
}

template <class T>
void Cublas::trmm_left(char op, std::int64_t m, std::int64_t n, const T* l, std::int64_t ldl, T* b,
                       std::int64_t ldb) const {
  const T one(1);
  check(Typed<T>::trmm(handle_, CUBLAS_SIDE_LEFT, CUBLAS_FILL_MODE_LOWER, operation(op), CUBLAS_DIAG_NON_UNIT,
                       as_int(m), as_int(n), typed(&one), typed(l), as_int(ldl), typed(static_cast<const T*>(b)),
                       as_int(ldb), typed(b), as_int(ldb)),
        "cublas trmm");
}

/// The first of m rows of C that go into one call. cuBLAS's fast kernels work on 128 x 128 tiles, one a multiprocessor
/// at a time: as many as give all of them the same number of tiles, at most `most_rounds`; short products, which gain
/// less than a call takes, are only kept from having more. With other numbers it picks kernels that are slower by a
/// tenth or more (measured on an H100, as most_rounds is).
std::int64_t Cublas::rows_of_a_call(std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t most_rounds) const {
  constexpr std::int64_t tile = 128;
  const std::int64_t tiles_across = (n + tile - 1) / tile;
  if (tiles_across <= 2) return m;
  const auto rows_in = [&](std::int64_t rounds) { return rounds * multiprocessors_ / tiles_across * tile; };
  if (rows_in(most_rounds) > 0 && rows_in(most_rounds) <= m) return rows_in(most_rounds);
  if (k < 2048) return m;
  for (std::int64_t rounds = most_rounds - 1; rounds > 0; --rounds) {
    if (rows_in(rounds) > 0 && rows_in(rounds) <= m) return rows_in(rounds);
  }
  return m;
}

#define TESSERA_INSTANTIATE_CUBLAS(T, Blas)                                                                    \
  template void Blas::gemm<T>(char, char, std::int64_t, std::int64_t, std::int64_t, T, const T*, std::int64_t, \
                              const T*, std::int64_t, T, T*, std::int64_t) const;                              \
  template void Blas::trmm_left<T>(char, std::int64_t, std::int64_t, const T*, std::int64_t, T*, std::int64_t) const;
TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_CUBLAS, Cublas)

}  // namespace tessera::kernels
