// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "support.hpp"

#include <dlfcn.h>
#include <mpi.h>
#include <Kokkos_Core.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

// ScaLAPACK's routines as a program calls them, and its arrays.
extern "C" {
void Cblacs_get(int context, int what, int* value);
void Cblacs_gridinit(int* context, const char* order, int rows, int cols);
void Cblacs_gridinfo(int context, int* rows, int* cols, int* row, int* col);
void Cblacs_gridexit(int context);
}

namespace tessera::testing {

/// The five routines of one scalar, from one library.
template <class T>
struct Routines {
  using Work = std::conditional_t<is_complex<T>, Real<T>, int>;
  using Factor = void(const char*, const int* n, T* a, const int* ia, const int* ja, const int* desca, int* info,
                      std::size_t);
  using Solve = void(const char*, const int* n, const int* nrhs, T* a, const int* ia, const int* ja, const int* desca,
                     T* b, const int* ib, const int* jb, const int* descb, int* info, std::size_t);
  using Condition = void(const char*, const int* n, T* a, const int* ia, const int* ja, const int* desca,
                         const Real<T>* anorm, Real<T>* rcond, T* work, const int* lwork, Work* more, const int* lmore,
                         int* info, std::size_t);

  /// `library`: as of dlopen, or RTLD_DEFAULT.
  explicit Routines(void* library)
      : potrf(find<Factor>(library, "potrf_")),
        potrs(find<Solve>(library, "potrs_")),
        posv(find<Solve>(library, "posv_")),
        potri(find<Factor>(library, "potri_")),
        pocon(find<Condition>(library, "pocon_")) {}

  Factor* potrf;
  Solve* potrs;
  Solve* posv;
  Factor* potri;
  Condition* pocon;

  static std::string prefix() {
    const char letter = is_complex<T> ? (sizeof(T) == 8 ? 'c' : 'z') : (sizeof(T) == 4 ? 's' : 'd');
    return std::string("p") + letter;
  }

 private:
  template <class Function>
  static Function* find(void* library, const char* name) {
    void* const found = dlsym(library, (prefix() + name).c_str());
    if (found == nullptr) throw std::runtime_error(prefix() + name + " is in no library");
    return reinterpret_cast<Function*>(found);
  }
};

/// A BLACS context on the first rows * cols ranks.
struct BlacsContext {
  BlacsContext(GridShape shape, const char* order) : grid(shape) {
    Cblacs_get(-1, 0, &number);
    Cblacs_gridinit(&number, order, shape.rows, shape.cols);
    if (number < 0) return;
    int rows = 0;
    int cols = 0;
    Cblacs_gridinfo(number, &rows, &cols, &row, &col);
  }
  ~BlacsContext() {
    if (row >= 0) Cblacs_gridexit(number);
  }
  BlacsContext(const BlacsContext&) = delete;
  BlacsContext& operator=(const BlacsContext&) = delete;

  bool has_this_rank() const { return row >= 0; }

  GridShape grid;
  int number = -1;
  int row = -1;
  int col = -1;
};

/// An array that is distributed over a context, of which a part is of interest; all of it holds `marker` but what is
/// set.
template <class T>
struct BlockCyclicArray {
  /// Sub(A) is m x n, from (i, j) on, counted from 0; around it the array has a few rows and columns more.
  BlockCyclicArray(const BlacsContext& context, int m, int n, int mb, int nb, int i = 0, int j = 0, int rsrc = 0,
                   int csrc = 0)
      : rows{i + m + 3, mb, context.grid.rows, (context.row - rsrc + context.grid.rows) % context.grid.rows},
        columns{j + n + 2, nb, context.grid.cols, (context.col - csrc + context.grid.cols) % context.grid.cols},
        ia(i + 1),
        ja(j + 1),
        leading_dimension(static_cast<int>(rows.local_extent()) + 2),
        desc{1, context.number, i + m + 3, j + n + 2, mb, nb, rsrc, csrc, leading_dimension},
        numbers(static_cast<std::size_t>(leading_dimension * columns.local_extent()) + 1, marker()) {}

  /// f(i, j) where in(i, j), with the indices of sub(A).
  template <class F, class In>
  void set(const F& f, const In& in) {
    for_each([&](std::int64_t i, std::int64_t j, T& x) {
      if (in(i, j)) x = f(i, j);
    });
  }
  /// body(i, j, element) of this rank.
  template <class Body>
  void for_each(const Body& body) {
    for (std::int64_t c = 0; c < columns.local_extent(); ++c) {
      for (std::int64_t r = 0; r < rows.local_extent(); ++r) {
        body(rows.to_global(LocalIndex{r}).value - ia + 1, columns.to_global(LocalIndex{c}).value - ja + 1,
             numbers[static_cast<std::size_t>(r + c * leading_dimension)]);
      }
    }
  }

  static T marker() { return scalar<T>(-1234567, 7654321); }

  BlockCyclic rows;
  BlockCyclic columns;
  int ia;
  int ja;
  int leading_dimension;
  std::array<int, 9> desc;
  std::vector<T> numbers;
};

}  // namespace tessera::testing
