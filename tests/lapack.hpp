// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "matrices.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

// LAPACK's Cholesky, to compare with.
extern "C" {
void spotrf_(const char* uplo, const int* n, float* a, const int* lda, int* info);
void dpotrf_(const char* uplo, const int* n, double* a, const int* lda, int* info);
void cpotrf_(const char* uplo, const int* n, void* a, const int* lda, int* info);
void zpotrf_(const char* uplo, const int* n, void* a, const int* lda, int* info);
void spotrs_(const char* uplo, const int* n, const int* nrhs, const float* a, const int* lda, float* b, const int* ldb,
             int* info);
void dpotrs_(const char* uplo, const int* n, const int* nrhs, const double* a, const int* lda, double* b,
             const int* ldb, int* info);
void cpotrs_(const char* uplo, const int* n, const int* nrhs, const void* a, const int* lda, void* b, const int* ldb,
             int* info);
void zpotrs_(const char* uplo, const int* n, const int* nrhs, const void* a, const int* lda, void* b, const int* ldb,
             int* info);
void spotri_(const char* uplo, const int* n, float* a, const int* lda, int* info);
void dpotri_(const char* uplo, const int* n, double* a, const int* lda, int* info);
void cpotri_(const char* uplo, const int* n, void* a, const int* lda, int* info);
void zpotri_(const char* uplo, const int* n, void* a, const int* lda, int* info);
float slansy_(const char* norm, const char* uplo, const int* n, const float* a, const int* lda, float* work);
double dlansy_(const char* norm, const char* uplo, const int* n, const double* a, const int* lda, double* work);
float clanhe_(const char* norm, const char* uplo, const int* n, const void* a, const int* lda, float* work);
double zlanhe_(const char* norm, const char* uplo, const int* n, const void* a, const int* lda, double* work);
void spocon_(const char* uplo, const int* n, const float* a, const int* lda, const float* norm, float* rcond,
             float* work, int* iwork, int* info);
void dpocon_(const char* uplo, const int* n, const double* a, const int* lda, const double* norm, double* rcond,
             double* work, int* iwork, int* info);
void cpocon_(const char* uplo, const int* n, const void* a, const int* lda, const float* norm, float* rcond, void* work,
             float* rwork, int* info);
void zpocon_(const char* uplo, const int* n, const void* a, const int* lda, const double* norm, double* rcond,
             void* work, double* rwork, int* info);
}

namespace tessera::testing {

/// The 1-norm of the Hermitian A(i, j) = f(i, j), by LAPACK's lansy or lanhe from its lower triangle.
template <class T, class F>
Real<T> lapack_norm_one(std::int64_t order, const F& f) {
  const int n = static_cast<int>(order);
  const int ld = std::max(1, n);
  std::vector<T> a(static_cast<std::size_t>(order * order));
  for (std::int64_t j = 0; j < order; ++j) {
    for (std::int64_t i = j; i < order; ++i) a[static_cast<std::size_t>(i + j * order)] = f(i, j);
  }
  std::vector<Real<T>> work(static_cast<std::size_t>(ld));
  if constexpr (std::is_same_v<T, float>) {
    return slansy_("1", "L", &n, a.data(), &ld, work.data());
  } else if constexpr (std::is_same_v<T, double>) {
    return dlansy_("1", "L", &n, a.data(), &ld, work.data());
  } else if constexpr (std::is_same_v<T, Kokkos::complex<float>>) {
    return clanhe_("1", "L", &n, a.data(), &ld, work.data());
  } else {
    return zlanhe_("1", "L", &n, a.data(), &ld, work.data());
  }
}

/// The lower triangle of A(i, j) = f(i, j), column-major and factored by LAPACK's potrf, whose info it keeps.
template <class T>
class Lapack {
 public:
  template <class F>
  Lapack(std::int64_t n, const F& f) : n_(static_cast<int>(n)), l_(static_cast<std::size_t>(n * n)) {
    for (std::int64_t j = 0; j < n; ++j) {
      for (std::int64_t i = j; i < n; ++i) l_[static_cast<std::size_t>(i + j * n)] = f(i, j);
    }
    if constexpr (std::is_same_v<T, float>) {
      spotrf_("L", &n_, l_.data(), &ld_, &info_);
    } else if constexpr (std::is_same_v<T, double>) {
      dpotrf_("L", &n_, l_.data(), &ld_, &info_);
    } else if constexpr (std::is_same_v<T, Kokkos::complex<float>>) {
      cpotrf_("L", &n_, l_.data(), &ld_, &info_);
    } else {
      zpotrf_("L", &n_, l_.data(), &ld_, &info_);
    }
  }

  /// 0, or the order of the leading minor that failed.
  int info() const { return info_; }

  T l(std::int64_t i, std::int64_t j) const { return l_[static_cast<std::size_t>(i + j * n_)]; }

  /// b = A^-1 b for one column
  void solve(T* b) const {
    const int one = 1;
    int info = 0;
    if constexpr (std::is_same_v<T, float>) {
      spotrs_("L", &n_, &one, l_.data(), &ld_, b, &ld_, &info);
    } else if constexpr (std::is_same_v<T, double>) {
      dpotrs_("L", &n_, &one, l_.data(), &ld_, b, &ld_, &info);
    } else if constexpr (std::is_same_v<T, Kokkos::complex<float>>) {
      cpotrs_("L", &n_, &one, l_.data(), &ld_, b, &ld_, &info);
    } else {
      zpotrs_("L", &n_, &one, l_.data(), &ld_, b, &ld_, &info);
    }
  }

  /// The lower triangle of A^-1, column-major.
  std::vector<T> inverse() const {
    std::vector<T> a = l_;
    int info = 0;
    if constexpr (std::is_same_v<T, float>) {
      spotri_("L", &n_, a.data(), &ld_, &info);
    } else if constexpr (std::is_same_v<T, double>) {
      dpotri_("L", &n_, a.data(), &ld_, &info);
    } else if constexpr (std::is_same_v<T, Kokkos::complex<float>>) {
      cpotri_("L", &n_, a.data(), &ld_, &info);
    } else {
      zpotri_("L", &n_, a.data(), &ld_, &info);
    }
    return a;
  }

  /// An estimate of 1 / (||A||_1 ||A^-1||_1), where `norm` is that of A.
  Real<T> reciprocal_condition(Real<T> norm) const {
    std::vector<T> work(static_cast<std::size_t>(3 * ld_));
    Real<T> result = -1;
    int info = 0;
    if constexpr (is_complex<T>) {
      std::vector<Real<T>> more(static_cast<std::size_t>(ld_));
      if constexpr (std::is_same_v<T, Kokkos::complex<float>>) {
        cpocon_("L", &n_, l_.data(), &ld_, &norm, &result, work.data(), more.data(), &info);
      } else {
        zpocon_("L", &n_, l_.data(), &ld_, &norm, &result, work.data(), more.data(), &info);
      }
    } else {
      std::vector<int> more(static_cast<std::size_t>(ld_));
      if constexpr (std::is_same_v<T, float>) {
        spocon_("L", &n_, l_.data(), &ld_, &norm, &result, work.data(), more.data(), &info);
      } else {
        dpocon_("L", &n_, l_.data(), &ld_, &norm, &result, work.data(), more.data(), &info);
      }
    }
    return result;
  }

 private:
  int n_;
  int ld_ = std::max(1, n_);
  int info_ = 0;
  std::vector<T> l_;
};

}  // namespace tessera::testing
