// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <KokkosBlas2_gemv.hpp>
#include <KokkosBlas3_gemm.hpp>
#include <KokkosBlas3_trmm.hpp>
#include <KokkosBlas3_trsm.hpp>
#include <Kokkos_Core.hpp>

// What differs between versions of Kokkos Kernels, whose BLAS took no execution-space instance before 4.0.

namespace tessera::kernels::compat {

/// The same View, said to belong to `Exec`: Kokkos Kernels picks its vendor's BLAS by that.
template <class Exec, class View>
auto with_device(const View& view) {
  return Kokkos::View<typename View::data_type, Kokkos::LayoutLeft, Kokkos::Device<Exec, typename Exec::memory_space>,
                      Kokkos::MemoryTraits<Kokkos::Unmanaged>>(view);
}

template <class T, class Exec, class A, class B, class C>
void gemm(const Exec& exec, const char* op_a, const char* op_b, T alpha, const A& a, const B& b, T beta, const C& c) {
#if KOKKOS_VERSION >= 40000
  KokkosBlas::gemm(exec, op_a, op_b, alpha, with_device<Exec>(a), with_device<Exec>(b), beta, with_device<Exec>(c));
#else
  (void)exec;
  KokkosBlas::gemm(op_a, op_b, alpha, with_device<Exec>(a), with_device<Exec>(b), beta, with_device<Exec>(c));
#endif
}

template <class T, class Exec, class A, class X, class Y>
void gemv(const Exec& exec, const char* op, T alpha, const A& a, const X& x, T beta, const Y& y) {
#if KOKKOS_VERSION >= 40000
  KokkosBlas::gemv(exec, op, alpha, with_device<Exec>(a), with_device<Exec>(x), beta, with_device<Exec>(y));
#else
  (void)exec;
  KokkosBlas::gemv(op, alpha, with_device<Exec>(a), with_device<Exec>(x), beta, with_device<Exec>(y));
#endif
}

/// With L lower triangular.
template <class T, class Exec, class L, class B>
void trsm(const Exec& exec, T alpha, const char* side, const char* op, const L& l, const B& b) {
#if KOKKOS_VERSION >= 40000
  KokkosBlas::trsm(exec, side, "L", op, "N", alpha, with_device<Exec>(l), with_device<Exec>(b));
#else
  (void)exec;
  KokkosBlas::trsm(side, "L", op, "N", alpha, with_device<Exec>(l), with_device<Exec>(b));
#endif
}

/// With L lower triangular.
template <class T, class Exec, class L, class B>
void trmm(const Exec& exec, T alpha, const char* side, const char* op, const L& l, const B& b) {
#if KOKKOS_VERSION >= 40000
  KokkosBlas::trmm(exec, side, "L", op, "N", alpha, with_device<Exec>(l), with_device<Exec>(b));
#else
  (void)exec;
  KokkosBlas::trmm(side, "L", op, "N", alpha, with_device<Exec>(l), with_device<Exec>(b));
#endif
}

}  // namespace tessera::kernels::compat
