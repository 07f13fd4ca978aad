/* SPDX-License-Identifier: BSD-3-Clause */
// The C interface with wrong arguments, on all ranks and on each alone; and what it does on one.

#include "c_test.h"

#include <math.h>
#include <mpi.h>
#include <string.h>

// One wrong argument, on some ranks.
enum {
  null_a,
  null_b,
  null_data,
  rows_below_0,
  no_stride,
  bad_scalar,
  bad_memory,
  device,
  other_scalar,
  bad_by_rows,
  bad_size,
  bad_triangle,
  bad_tile,
  bad_space,
  bad_info,
  null_to_dense,
  too_few_rows,
  cases
};
static const char* const names[cases] = {
    "a: ",         "b: ",          "b.data: ",    "b.rows: ",       "b.row_stride: ", "a.scalar: ",      "a.memory: ",
    "a.memory: ",  "b.scalar: ",   "b.by_rows: ", "options.size: ", "triangle: ",     "local_tile_size", "space: ",
    "info.size: ", "a.to_dense: ", "a: "};

static void misuse_of_call(int number, int culprit) {
  const System s = {TESSERA_DOUBLE, 13, -1};
  tessera_array a = rows_of(&s), b = b_of(&s, b_memory, 0);
  tessera_operator on_request = {to_dense, (void*)&s, s.scalar};
  tessera_options options;
  tessera_options_init(&options, sizeof options);
  tessera_info info;
  tessera_info_init(&info, sizeof info);
  const int wrong = culprit == rank || culprit == ranks;
  if (wrong) {
    switch (number) {
      case null_data:
        b.data = NULL;
        break;
      case rows_below_0:
        b.rows = -1;
        break;
      case no_stride:
        b.row_stride = 0;
        break;
      case bad_scalar:
        a.scalar = on_request.scalar = 7;
        break;
      case bad_memory:
        a.memory = 9;
        break;
      case device:
        a.memory = TESSERA_DEVICE_MEMORY;
        break;
      case other_scalar:
        b.scalar = TESSERA_FLOAT;
        break;
      case bad_by_rows:
        b.by_rows = 2;
        break;
      case bad_size:
        options.size = 0;
        break;
      case bad_triangle:
        options.triangle = 5;
        break;
      case bad_tile:
        options.local_tile_size = -4;
        break;
      case bad_space:
        options.space = 3;
        break;
      case bad_info:
        info.size = 1000;
        break;
      case null_to_dense:
        on_request.to_dense = NULL;
        break;
      case too_few_rows:
        b.rows = 12;
        break;
      default:
        break;
    }
  }
  const tessera_array* const its_a = wrong && number == null_a ? NULL : &a;
  const tessera_array* const its_b = wrong && number == null_b ? NULL : &b;
  const tessera_status status = number == null_to_dense
                                    ? tessera_cholesky_distributed_operator(comm, &on_request, its_b, &options, &info)
                                    : tessera_cholesky_distributed(comm, its_a, its_b, &options, &info);
  const char* const text = tessera_last_error();
  const char* const name = names[number];
  CHECK(status == TESSERA_INVALID_ARGUMENT);
  CHECK(strncmp(text, name, strlen(name)) == 0);
}

static void misuse_of_factors(int culprit) {
  const System s = {TESSERA_FLOAT, 13, -1};
  tessera_array a = rows_of(&s), b = b_of(&s, b_memory, 0);
  const int wrong = culprit == rank;
  tessera_factor *factor = NULL, *none = NULL;
  CHECK(tessera_factorize(comm, s.n, &a, NULL, NULL, wrong ? NULL : &none) == TESSERA_INVALID_ARGUMENT && none == NULL);
  CHECK(strcmp(tessera_last_error(), "factor: is null") == 0);
  CHECK(tessera_factorize(comm, wrong ? -1 : s.n, &a, NULL, NULL, &none) == TESSERA_INVALID_ARGUMENT);
  CHECK(tessera_factorize(comm, s.n, &a, NULL, NULL, &factor) == TESSERA_OK);
  CHECK(tessera_solve(factor, wrong ? NULL : &b) == TESSERA_INVALID_ARGUMENT);
  CHECK(strcmp(tessera_last_error(), "b: is null") == 0);
  b.scalar = wrong ? TESSERA_DOUBLE : TESSERA_FLOAT;
  CHECK(tessera_multiply_lower(factor, &b) == TESSERA_INVALID_ARGUMENT);
  CHECK(strncmp(tessera_last_error(), "b.scalar: ", 10) == 0);
  b.scalar = TESSERA_FLOAT;
  CHECK((wrong ? tessera_solve_lower(factor, &b) : tessera_solve_upper(factor, &b)) ==
        (ranks == 1 ? TESSERA_OK : TESSERA_INVALID_ARGUMENT));
  CHECK((wrong ? tessera_factor_refuse(factor, "no b") : tessera_solve(factor, &b)) == TESSERA_INVALID_ARGUMENT);
  CHECK(strcmp(tessera_last_error(), "no b") == 0);
  CHECK((wrong ? tessera_refuse(comm, "no a") : tessera_cholesky_distributed(comm, &a, &b, NULL, NULL)) ==
        TESSERA_INVALID_ARGUMENT);
  CHECK(strcmp(tessera_last_error(), "no a") == 0);
  CHECK(tessera_inverse_diagonal(factor, &b) == TESSERA_INVALID_ARGUMENT);  // has three columns
  b = b_of(&s, b_memory, 0);
  CHECK(tessera_solve(factor, &b) == TESSERA_OK && tessera_last_error()[0] == '\0');
  tessera_factor_free(factor);
}

void local_functions(void) {
  tessera_array b = {.data = b_memory, .rows = 2, .columns = 2, .row_stride = 2, .column_stride = 1}, c = b;
  c.data = x_memory;
  c.row_stride = 1;
  c.column_stride = 2;
  for (int k = 0; k < 4; ++k) set(b_memory, TESSERA_DOUBLE, k, k);
  CHECK(tessera_copy(&b, &c) == TESSERA_OK && creal(get(x_memory, TESSERA_DOUBLE, 1)) == 2);
  c.rows = 1;
  CHECK(tessera_copy(&b, &c) == TESSERA_INVALID_ARGUMENT);
  CHECK(tessera_solve(NULL, &b) == TESSERA_INVALID_ARGUMENT && isnan(tessera_log_determinant(NULL)));
  CHECK(tessera_n(NULL) == -1);
  CHECK(tessera_cholesky_distributed(MPI_Comm_c2f(MPI_COMM_NULL), &b, &b, NULL, NULL) == TESSERA_INVALID_ARGUMENT);
  CHECK(tessera_version()[0] >= '0' && strlen(tessera_mpi_library()) > 0);

  tessera_plan_options options;
  tessera_plan_options_init(&options, sizeof options);
  options.tile_size = 100;  // or a device would have all of it
  tessera_plan plan;
  tessera_rank_plan each[6];
  CHECK(tessera_memory_plan(TESSERA_FLOAT, 1000, 6, &options, &plan, each) == TESSERA_OK);
  CHECK(plan.grid_rows == 3 && plan.grid_cols == 2 && plan.fits && each[5].matrix > 0 && plan.peak >= each[5].peak);
  CHECK(plan.moduli == 0 && plan.integer_columns == 0);
  options.arithmetic = TESSERA_INTEGER;
  CHECK(tessera_memory_plan(TESSERA_FLOAT, 1000, 6, &options, &plan, each) == TESSERA_OK);
  CHECK(plan.moduli > 0 && plan.integer_columns == 1000);
  options.bytes_free = each[0].matrix + each[0].inverses + each[0].right_hand_sides + each[0].factorize - 1;
  CHECK(tessera_memory_plan(TESSERA_FLOAT, 1000, 6, &options, &plan, each) == TESSERA_OK);
  CHECK(plan.integer_columns > 0 && plan.integer_columns < 1000);
  options.arithmetic = TESSERA_NATIVE;
  options.bytes_free = -1;
  options.tile_size = 0;  // x, which needs no memory of its own, is not counted when the tile is chosen
  options.nrhs = 500;
  CHECK(tessera_memory_plan(TESSERA_FLOAT, 1000, 6, &options, &plan, NULL) == TESSERA_OK);
  const tessera_plan wide = plan;
  options.bytes_free = wide.peak;
  CHECK(tessera_memory_plan(TESSERA_FLOAT, 1000, 6, &options, &plan, NULL) == TESSERA_OK);
  CHECK(plan.fits && plan.tile_size == wide.tile_size && plan.peak == wide.peak);
  options.tile_size = 100;
  options.bytes_free = each[0].matrix / 2;
  CHECK(tessera_memory_plan(TESSERA_FLOAT, 1000, 6, &options, &plan, NULL) == TESSERA_OK && !plan.fits);
  CHECK(tessera_memory_plan(TESSERA_FLOAT, -1, 6, NULL, &plan, NULL) == TESSERA_INVALID_ARGUMENT);
  options.bytes_free = -2;
  CHECK(tessera_memory_plan(TESSERA_FLOAT, 10, 6, &options, &plan, NULL) == TESSERA_INVALID_ARGUMENT);
  options.bytes_free = -1;
  options.by_rows = 7;
  CHECK(tessera_memory_plan(TESSERA_FLOAT, 10, 6, &options, &plan, NULL) == TESSERA_INVALID_ARGUMENT);
  options.by_rows = 0;
  options.inverse = 9;
  CHECK(tessera_memory_plan(TESSERA_FLOAT, 10, 6, &options, &plan, NULL) == TESSERA_INVALID_ARGUMENT);
  options.inverse = 0;
  CHECK(tessera_memory_plan(TESSERA_FLOAT, 10, 6, &options, &plan, NULL) == TESSERA_OK);
  options.grid_rows = 4;
  options.grid_cols = 1;
  CHECK(tessera_memory_plan(TESSERA_FLOAT, 10, 6, &options, &plan, NULL) == TESSERA_INVALID_ARGUMENT);
}

void misuse(void) {
  for (int number = 0; number < cases; ++number) {
    if (number == device && tessera_has_device()) continue;
    where = names[number];
    for (int culprit = 0; culprit <= ranks; ++culprit) misuse_of_call(number, culprit);  // each rank, and all
  }
  where = "misuse of factors";
  for (int culprit = 0; culprit < ranks; ++culprit) misuse_of_factors(culprit);
}
