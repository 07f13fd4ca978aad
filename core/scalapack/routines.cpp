// SPDX-License-Identifier: BSD-3-Clause
#include "core/scalapack/routines.hpp"

#include "tessera/scalar.hpp"

#include <Kokkos_Core.hpp>

#include <cstddef>
#include <functional>
#include <string>
#include <utility>

// The routines that this library has in place of ScaLAPACK's, as Fortran calls them: all by address, with the length of
// each character behind the last argument, which a caller may leave out as nobody reads it.
namespace tessera::scalapack {
namespace {

using Int = const int*;
using Char = const char*;
constexpr std::size_t one = 1;  // the length of UPLO

template <class T>
using Potrf = void(Char, Int, T*, Int, Int, Int, int*, std::size_t);
template <class T>
using Potrs = void(Char, Int, Int, T*, Int, Int, Int, T*, Int, Int, Int, int*, std::size_t);
template <class T, class Work>
using Pocon = void(Char, Int, T*, Int, Int, Int, const detail::RealOf<T>*, detail::RealOf<T>*, T*, Int, Work*, Int,
                   int*, std::size_t);

/// Where the arrays are among the arguments; minus that is INFO, where one is lost.
constexpr int a_of_potrf = 3;
constexpr int a_of_potrs = 4;
constexpr int b_of_potrs = 8;

template <class T>
Call call_of(const char* routine, Char uplo, const Submatrix& part, T* a) {
  return {routine, *uplo, alignof(T), part, a};
}

template <class T>
Call call_of(const char* routine, Char uplo, const Submatrix& part, T* a, const Submatrix& part_of_b, T* b) {
  Call call = call_of(routine, uplo, part, a);
  call.b = part_of_b;
  call.b_data = b;
  return call;
}

template <class T>
void potrf(const char* routine, Potrf<T>* behind, Char uplo, Int n, T* a, Int ia, Int ja, Int desca, int* info) {
  const Call call = call_of(routine, uplo, {*n, *n, *ia, *ja, desca}, a);
  const auto work = [&](const ProcessGrid& grid, bool& changed) {
    Operand<T> operand(grid, call.a, call.is_lower(), a);
    operand.put_back(factor(operand, changed).matrix(), changed);
  };
  const auto hand_on = [&] { behind(uplo, n, a, ia, ja, desca, info, one); };
  run(call, info, -a_of_potrf, std::cref(work), std::cref(hand_on));
}

template <class T>
void potrs(const char* routine, Potrs<T>* behind, Char uplo, Int n, Int nrhs, T* a, Int ia, Int ja, Int desca, T* b,
           Int ib, Int jb, Int descb, int* info) {
  const Call call = call_of(routine, uplo, {*n, *n, *ia, *ja, desca}, a, {*n, *nrhs, *ib, *jb, descb}, b);
  const auto work = [&](const ProcessGrid& grid, bool& changed) {
    Operand<T> operand(grid, call.a, call.is_lower(), a);
    solve(factored(operand), *call.b, b, changed);
  };
  const auto hand_on = [&] { behind(uplo, n, nrhs, a, ia, ja, desca, b, ib, jb, descb, info, one); };
  run(call, info, -b_of_potrs, std::cref(work), std::cref(hand_on));
}

template <class T>
void posv(const char* routine, Potrs<T>* behind, Char uplo, Int n, Int nrhs, T* a, Int ia, Int ja, Int desca, T* b,
          Int ib, Int jb, Int descb, int* info) {
  const Call call = call_of(routine, uplo, {*n, *n, *ia, *ja, desca}, a, {*n, *nrhs, *ib, *jb, descb}, b);
  const auto work = [&](const ProcessGrid& grid, bool& changed) {
    Operand<T> operand(grid, call.a, call.is_lower(), a);
    const auto l = factor(operand, changed);
    operand.put_back(l.matrix(), changed);
    solve(l, *call.b, b, changed);
  };
  const auto hand_on = [&] { behind(uplo, n, nrhs, a, ia, ja, desca, b, ib, jb, descb, info, one); };
  run(call, info, -a_of_potrs, std::cref(work), std::cref(hand_on));
}

template <class T>
void potri(const char* routine, Potrf<T>* behind, Char uplo, Int n, T* a, Int ia, Int ja, Int desca, int* info) {
  const Call call = call_of(routine, uplo, {*n, *n, *ia, *ja, desca}, a);
  const auto work = [&](const ProcessGrid& grid, bool& changed) {
    Operand<T> operand(grid, call.a, call.is_lower(), a);
    auto l = factored(operand);
    if (operand.is_in_place()) changed = true;
    operand.put_back(invert(Exec(), std::move(l)), changed);
  };
  const auto hand_on = [&] { behind(uplo, n, a, ia, ja, desca, info, one); };
  run(call, info, -a_of_potrf, std::cref(work), std::cref(hand_on));
}

/// ScaLAPACK is asked how much workspace there must be, and leaves that in WORK, though it then is not used.
template <class T, class Work>
void pocon(const char* routine, Pocon<T, Work>* behind, Char uplo, Int n, T* a, Int ia, Int ja, Int desca,
           const detail::RealOf<T>* anorm, detail::RealOf<T>* rcond, T* work, Int lwork, Work* more, Int lmore,
           int* info) {
  Call call = call_of(routine, uplo, {*n, *n, *ia, *ja, desca}, a);
  call.norm = static_cast<double>(*anorm);
  constexpr int query = -1;
  call.is_query = *lwork == query || *lmore == query;
  const auto call_behind = [&](Int l, Int lm) {
    behind(uplo, n, a, ia, ja, desca, anorm, rcond, work, l, more, lm, info, one);
  };
  const auto estimate = [&](const ProcessGrid& grid, bool&) {
    call_behind(&query, &query);
    detail::collectively(grid.communicator(), [&] {
      if (*lwork < static_cast<double>(detail::real(*work))) detail::throw_misuse("LWORK", std::to_string(*lwork));
      if (*lmore < static_cast<double>(*more)) detail::throw_misuse("LIWORK", std::to_string(*lmore));
    });
    Operand<T> operand(grid, call.a, call.is_lower(), a);
    *rcond = static_cast<detail::RealOf<T>>(factored(operand).reciprocal_condition(Exec(), call.norm));
  };
  const auto hand_on = [&] { call_behind(lwork, lmore); };
  run(call, info, 0, std::cref(estimate), std::cref(hand_on));
}

}  // namespace
}  // namespace tessera::scalapack

// p?potrf and p?potri, p?potrs and p?posv have the same arguments.
#define TESSERA_FACTOR(routine, name, T)                                                  \
  extern "C" void name##_(Char uplo, Int n, T* a, Int ia, Int ja, Int desca, int* info) { \
    routine<T>(#name, behind<Potrf<T>>(#name "_"), uplo, n, a, ia, ja, desca, info);      \
  }
#define TESSERA_SOLVE(routine, name, T)                                                                      \
  extern "C" void name##_(Char uplo, Int n, Int nrhs, T* a, Int ia, Int ja, Int desca, T* b, Int ib, Int jb, \
                          Int descb, int* info) {                                                            \
    routine<T>(#name, behind<Potrs<T>>(#name "_"), uplo, n, nrhs, a, ia, ja, desca, b, ib, jb, descb, info); \
  }
#define TESSERA_CONDITION(name, T, Work)                                                                           \
  extern "C" void name##_(Char uplo, Int n, T* a, Int ia, Int ja, Int desca, const detail::RealOf<T>* anorm,       \
                          detail::RealOf<T>* rcond, T* work, Int lwork, Work* more, Int lmore, int* info) {        \
    pocon<T, Work>(#name, behind<Pocon<T, Work>>(#name "_"), uplo, n, a, ia, ja, desca, anorm, rcond, work, lwork, \
                   more, lmore, info);                                                                             \
  }
#define TESSERA_ROUTINES(s, T, Work)    \
  TESSERA_FACTOR(potrf, p##s##potrf, T) \
  TESSERA_SOLVE(potrs, p##s##potrs, T)  \
  TESSERA_SOLVE(posv, p##s##posv, T)    \
  TESSERA_FACTOR(potri, p##s##potri, T) \
  TESSERA_CONDITION(p##s##pocon, T, Work)

using namespace tessera;             // these names are Fortran's
using namespace tessera::scalapack;  // and so have no namespace

TESSERA_ROUTINES(s, float, int)
TESSERA_ROUTINES(d, double, int)
TESSERA_ROUTINES(c, Kokkos::complex<float>, float)
TESSERA_ROUTINES(z, Kokkos::complex<double>, double)
