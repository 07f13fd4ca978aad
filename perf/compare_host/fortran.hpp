// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <Kokkos_Core.hpp>

#include <cstddef>

// BLAS, LAPACK and ScaLAPACK as they are called from C, one overload for each scalar. The integers are theirs.
namespace tessera::perf {

// What stands last is the lengths of the strings, which compilers of Fortran pass by value.
#define TESSERA_DECLARE_LAPACK(T, t, transposed)                                                                       \
  extern "C" void t##gemm_(const char*, const char*, const int* m, const int* n, const int* k, const void* alpha,      \
                           const void* a, const int* lda, const void* b, const int* ldb, const void* beta, void* c,    \
                           const int* ldc, std::size_t, std::size_t);                                                  \
  extern "C" void t##potrf_(const char*, const int* n, void* a, const int* lda, int* info, std::size_t);               \
  extern "C" void t##potrs_(const char*, const int* n, const int* nrhs, const void* a, const int* lda, void* b,        \
                            const int* ldb, int* info, std::size_t);                                                   \
  extern "C" void t##potri_(const char*, const int* n, void* a, const int* lda, int* info, std::size_t);               \
  extern "C" void p##t##potri_(const char*, const int* n, void* a, const int* ia, const int* ja, const int* desc,      \
                               int* info, std::size_t);                                                                \
  extern "C" void p##t##potrf_(const char*, const int* n, void* a, const int* ia, const int* ja, const int* desc,      \
                               int* info, std::size_t);                                                                \
  extern "C" void p##t##potrs_(const char*, const int* n, const int* nrhs, const void* a, const int* ia,               \
                               const int* ja, const int* desc_a, void* b, const int* ib, const int* jb,                \
                               const int* desc_b, int* info, std::size_t);                                             \
  /* C = alpha A op(B) + beta C, op(B) = B or B^H */                                                                   \
  inline void gemm(bool adjoint, int m, int n, int k, T alpha, const T* a, int lda, const T* b, int ldb, T beta, T* c, \
                   int ldc) {                                                                                          \
    t##gemm_("N", adjoint ? transposed : "N", &m, &n, &k, &alpha, a, &lda, b, &ldb, &beta, c, &ldc, 1, 1);             \
  }                                                                                                                    \
  inline int potrf(int n, T* a, int lda) {                                                                             \
    int info = 0;                                                                                                      \
    t##potrf_("L", &n, a, &lda, &info, 1);                                                                             \
    return info;                                                                                                       \
  }                                                                                                                    \
  inline int potrs(int n, int nrhs, const T* a, int lda, T* b) {                                                       \
    int info = 0;                                                                                                      \
    t##potrs_("L", &n, &nrhs, a, &lda, b, &n, &info, 1);                                                               \
    return info;                                                                                                       \
  }                                                                                                                    \
  inline int potri(int n, T* a, int lda) {                                                                             \
    int info = 0;                                                                                                      \
    t##potri_("L", &n, a, &lda, &info, 1);                                                                             \
    return info;                                                                                                       \
  }                                                                                                                    \
  inline int ppotri(int n, T* a, const int* desc) {                                                                    \
    const int one = 1;                                                                                                 \
    int info = 0;                                                                                                      \
    p##t##potri_("L", &n, a, &one, &one, desc, &info, 1);                                                              \
    return info;                                                                                                       \
  }                                                                                                                    \
  inline int ppotrf(int n, T* a, const int* desc) {                                                                    \
    const int one = 1;                                                                                                 \
    int info = 0;                                                                                                      \
    p##t##potrf_("L", &n, a, &one, &one, desc, &info, 1);                                                              \
    return info;                                                                                                       \
  }                                                                                                                    \
  inline int ppotrs(int n, int nrhs, const T* a, const int* desc_a, T* b, const int* desc_b) {                         \
    const int one = 1;                                                                                                 \
    int info = 0;                                                                                                      \
    p##t##potrs_("L", &n, &nrhs, a, &one, &one, desc_a, b, &one, &one, desc_b, &info, 1);                              \
    return info;                                                                                                       \
  }

TESSERA_DECLARE_LAPACK(float, s, "T")
TESSERA_DECLARE_LAPACK(double, d, "T")
TESSERA_DECLARE_LAPACK(Kokkos::complex<float>, c, "C")
TESSERA_DECLARE_LAPACK(Kokkos::complex<double>, z, "C")
#undef TESSERA_DECLARE_LAPACK

extern "C" {
void dsyrk_(const char*, const char*, const int* n, const int* k, const double* alpha, const double* a, const int* lda,
            const double* beta, double* c, const int* ldc, std::size_t, std::size_t);
void pdsyrk_(const char*, const char*, const int* n, const int* k, const double* alpha, const double* a, const int* ia,
             const int* ja, const int* desc_a, const double* beta, double* c, const int* ic, const int* jc,
             const int* desc_c, std::size_t, std::size_t);
void Cblacs_get(int context, int what, int* value);
void Cblacs_gridinit(int* context, const char* order, int rows, int cols);
void Cblacs_gridexit(int context);
void descinit_(int* desc, const int* m, const int* n, const int* mb, const int* nb, const int* row_source,
               const int* column_source, const int* context, const int* lld, int* info);
}

}  // namespace tessera::perf
