/* SPDX-License-Identifier: BSD-3-Clause */
// The systems that c_test solves.

#include "c_test.h"

#include <math.h>

double _Complex get(const void* data, int scalar, int64_t k) {
  switch (scalar) {
    case TESSERA_DOUBLE:
      return ((const double*)data)[k];
    case TESSERA_FLOAT:
      return (double)((const float*)data)[k];
    case TESSERA_COMPLEX_DOUBLE:
      return ((const double _Complex*)data)[k];
    default:
      return ((const float _Complex*)data)[k];
  }
}

void set(void* data, int scalar, int64_t k, double _Complex z) {
  switch (scalar) {
    case TESSERA_DOUBLE:
      ((double*)data)[k] = creal(z);
      break;
    case TESSERA_FLOAT:
      ((float*)data)[k] = (float)creal(z);
      break;
    case TESSERA_COMPLEX_DOUBLE:
      ((double _Complex*)data)[k] = z;
      break;
    default:
      ((float _Complex*)data)[k] = (float _Complex)z;
  }
}

static int is_complex(int scalar) { return scalar >= TESSERA_COMPLEX_DOUBLE; }

double _Complex element(const System* s, int64_t i, int64_t j) {
  if (i == j) return i == s->defect ? -1 : 4 + (double)i / most;
  const double d = (double)(i - j), real = 1 / (1 + d * d);
  return is_complex(s->scalar) ? real + I * sin(d) / (2 + d * d) : real;
}
double _Complex right_hand_side(const System* s, int64_t i, int64_t c) {
  const double real = cos((double)(i + 7 * c));
  return is_complex(s->scalar) ? real + I * sin((double)(i - c)) : real;
}

double _Complex a_memory[2 * most * most], b_memory[2 * most * columns], x_memory[2 * most * columns];

int64_t first_row(int64_t n, int r) { return n * r / ranks; }

tessera_array rows_of(const System* s) {
  const int64_t first = first_row(s->n, rank), rows = first_row(s->n, rank + 1) - first;
  tessera_array a = {.data = a_memory, .rows = rows, .columns = s->n, .scalar = s->scalar};
  a.row_stride = rank % 2 == 0 ? s->n + 3 : 1;
  a.column_stride = rank % 2 == 0 ? 1 : rows + 1;
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < s->n; ++j) {
      set(a.data, s->scalar, i * a.row_stride + j * a.column_stride, element(s, first + i, j));
    }
  }
  return a;
}

tessera_array b_of(const System* s, void* memory, int by_rows) {
  const int64_t first = by_rows ? first_row(s->n, rank) : 0;
  const int64_t rows = by_rows ? first_row(s->n, rank + 1) - first : s->n;
  tessera_array b = {memory, rows, columns, columns, 1, s->scalar, TESSERA_HOST_MEMORY, by_rows};
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t c = 0; c < columns; ++c) set(memory, s->scalar, i * columns + c, right_hand_side(s, first + i, c));
  }
  return b;
}

int failing_rank = -1, failing_status;

int to_dense(void* context, int64_t first, const tessera_array* rows) {
  const System* s = context;
  if (rank == failing_rank) {
    if (failing_status == TESSERA_ERROR) tessera_set_error("the numbers are lost");
    return failing_status;
  }
  static double _Complex memory[most * most];
  tessera_array here = *rows;
  if (rows->memory != TESSERA_HOST_MEMORY) {  // a device's: made here, and copied
    here.data = memory;
    here.memory = TESSERA_HOST_MEMORY;
    here.row_stride = rows->columns;
    here.column_stride = 1;
  }
  for (int64_t i = 0; i < here.rows; ++i) {
    for (int64_t j = 0; j < here.columns; ++j) {
      set(here.data, here.scalar, i * here.row_stride + j * here.column_stride, element(s, first + i, j));
    }
  }
  if (rows->memory == TESSERA_HOST_MEMORY) return TESSERA_OK;
  return (int)tessera_copy(&here, rows);
}
