/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TESSERA_TESTS_C_TEST_H
#define TESSERA_TESTS_C_TEST_H

#include <tessera/tessera.h>

#include <complex.h>
#include <stdint.h>
#include <stdio.h>

// What the sources of c_test share.

enum { most = 40, columns = 3 };  // rows and columns of a system, at most, and right-hand sides

extern int rank, ranks, comm, faults;
extern const char* where;

#define CHECK(condition)                                                                                              \
  do {                                                                                                                \
    if (!(condition)) {                                                                                               \
      ++faults;                                                                                                       \
      fprintf(stderr, "rank %d, %s, line %d: %s: \"%s\"\n", rank, where, __LINE__, #condition, tessera_last_error()); \
    }                                                                                                                 \
  } while (0)

// A and b, as functions of the indices. The pivot at `defect` is negative.
typedef struct {
  int scalar;
  int64_t n, defect;
} System;

double _Complex element(const System* s, int64_t i, int64_t j);
double _Complex right_hand_side(const System* s, int64_t i, int64_t c);

// Memory for one test at a time: 16 bytes hold any scalar.
extern double _Complex a_memory[2 * most * most], b_memory[2 * most * columns], x_memory[2 * most * columns];
double _Complex get(const void* data, int scalar, int64_t k);
void set(void* data, int scalar, int64_t k, double _Complex z);

int64_t first_row(int64_t n, int r);  // of rank r
// This rank's rows, with a gap behind each; every other rank has them by columns.
tessera_array rows_of(const System* s);
tessera_array b_of(const System* s, void* memory, int by_rows);

// The rows on request, which one rank may fail to give.
extern int failing_rank, failing_status;
int to_dense(void* context, int64_t first, const tessera_array* rows);

void misuse(void);
void local_functions(void);

#endif
