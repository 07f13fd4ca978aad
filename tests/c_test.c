/* SPDX-License-Identifier: BSD-3-Clause */
// The C interface from a program in C: results, failures and misuse. Exits with 1 if anything is wrong on any rank.

#include "c_test.h"

#include <math.h>
#include <mpi.h>
#include <string.h>

int rank, ranks, comm, faults;
const char* where = "";

static int is_single(int scalar) { return scalar == TESSERA_FLOAT || scalar == TESSERA_COMPLEX_FLOAT; }
static double tolerance(int scalar) { return is_single(scalar) ? 1e-5 : 1e-13; }

static int progress(void* context, int64_t done, int64_t all) {
  *(int64_t*)context = done;
  return rank == failing_rank ? 17 : done <= all ? TESSERA_OK : TESSERA_ERROR;
}

static void expect_solved(const System* s, const tessera_array* x) {
  const int64_t first = x->by_rows ? first_row(s->n, rank) : 0;
  for (int64_t i = 0; i < x->rows && !x->by_rows; ++i) {
    for (int64_t c = 0; c < columns; ++c) {
      double _Complex sum = -right_hand_side(s, first + i, c);
      for (int64_t j = 0; j < s->n; ++j) sum += element(s, i, j) * get(x->data, s->scalar, j * columns + c);
      CHECK(cabs(sum) < 10 * tolerance(s->scalar));
    }
  }
}

static void expect_same(const tessera_array* x, const tessera_array* y, int64_t first, double bound) {
  for (int64_t k = 0; k < y->rows * columns; ++k) {
    CHECK(cabs(get(x->data, x->scalar, first * columns + k) - get(y->data, y->scalar, k)) <= bound);
  }
}

static void solves(const System* s, int64_t tile) {
  tessera_options options;
  tessera_options_init(&options, sizeof options);
  options.local_tile_size = tile;
  tessera_info info;
  tessera_info_init(&info, sizeof info);
  tessera_array a = rows_of(s);
  tessera_array x = b_of(s, x_memory, 0);
  CHECK(tessera_cholesky_distributed(comm, &a, &x, &options, &info) == TESSERA_OK);
  CHECK(info.leading_minor == 0 && info.tries == 1 && info.grid_rows * info.grid_cols == ranks);
  CHECK(tile == 0 || s->n < tile || info.tile_size == tile);
  expect_solved(s, &x);

  tessera_array y = b_of(s, b_memory, 1);  // by rows, from an operator whose upper triangle is read
  options.triangle = TESSERA_UPPER;
  const tessera_operator on_request = {to_dense, (void*)s, s->scalar};
  CHECK(tessera_cholesky_distributed_operator(comm, &on_request, &y, &options, NULL) == TESSERA_OK);
  expect_same(&x, &y, first_row(s->n, rank), tolerance(s->scalar));

  tessera_factor* factor = NULL;
  options.triangle = TESSERA_LOWER;
  CHECK(tessera_factorize(comm, s->n, &a, &options, &info, &factor) == TESSERA_OK);
  CHECK(factor != NULL && tessera_n(factor) == s->n);
  CHECK(tessera_log_determinant(factor) == info.log_determinant);
  y = b_of(s, b_memory, 0);
  CHECK(tessera_solve(factor, &y) == TESSERA_OK);
  expect_same(&x, &y, 0, 0);
  y = b_of(s, b_memory, 1);
  CHECK(tessera_solve_lower(factor, &y) == TESSERA_OK && tessera_solve_upper(factor, &y) == TESSERA_OK);
  expect_same(&x, &y, first_row(s->n, rank), 0);
  CHECK(tessera_multiply_upper(factor, &y) == TESSERA_OK && tessera_multiply_lower(factor, &y) == TESSERA_OK);
  x = b_of(s, x_memory, 0);
  expect_same(&x, &y, first_row(s->n, rank), 20 * tolerance(s->scalar));

  double d_memory[most];
  tessera_array d = {.data = d_memory, .rows = s->n, .columns = 1, .row_stride = 1};
  d.scalar = is_single(s->scalar) ? TESSERA_FLOAT : TESSERA_DOUBLE;
  CHECK(tessera_inverse_diagonal(factor, &d) == TESSERA_OK);
  double log_determinant = 0;
  for (int64_t k = 0; k < s->n; ++k) {  // the factor of the leading k + 1 rows has both in its last row
    tessera_factor* leading = NULL;
    const tessera_operator part = {to_dense, (void*)s, s->scalar};
    if (k + 1 < s->n && k % 8 != 0) continue;
    CHECK(tessera_factorize_operator(comm, k + 1, &part, NULL, NULL, &leading) == TESSERA_OK);
    if (k + 1 == s->n) log_determinant = tessera_log_determinant(leading);
    tessera_factor_free(leading);
  }
  CHECK(fabs(log_determinant - info.log_determinant) <= 100 * tolerance(s->scalar));
  for (int64_t k = 0; k < s->n; k += 5) {
    for (int64_t i = 0; i < s->n; ++i) set(b_memory, s->scalar, i, i == k);
    const tessera_array unit = {b_memory, s->n, 1, 1, 1, s->scalar, TESSERA_HOST_MEMORY, 0};
    CHECK(tessera_solve(factor, &unit) == TESSERA_OK);
    CHECK(cabs(get(b_memory, s->scalar, k) - get(d.data, d.scalar, k)) < tolerance(s->scalar));
  }
  tessera_factor_free(factor);
}

static void failures(int scalar) {
  where = "failures";
  const System bad = {scalar, 13, 8}, good = {scalar, 13, -1};
  tessera_options options;
  tessera_options_init(&options, sizeof options);
  tessera_info info;
  tessera_info_init(&info, sizeof info);
  tessera_array a = rows_of(&bad), x = b_of(&bad, x_memory, 0);
  const tessera_array b = b_of(&bad, b_memory, 0);
  CHECK(tessera_cholesky_distributed(comm, &a, &x, NULL, &info) == TESSERA_NOT_POSITIVE_DEFINITE);
  CHECK(info.leading_minor == 9 && strstr(tessera_last_error(), "order 9") != NULL);
  expect_same(&x, &b, 0, 0);
  tessera_factor* factor = (tessera_factor*)&info;
  CHECK(tessera_factorize(comm, bad.n, &a, NULL, &info, &factor) == TESSERA_NOT_POSITIVE_DEFINITE);
  CHECK(info.leading_minor == 9 && factor == NULL);

  tessera_shift_try tries[3];
  info.shifts = tries;
  options.tries = 3;
  options.first_shift = 0.5;
  CHECK(tessera_cholesky_distributed(comm, &a, &x, &options, &info) == TESSERA_OK);
  CHECK(info.tries == 3 && tries[0].leading_minor == 9 && tries[1].leading_minor == 9 && tries[2].leading_minor == 0);
  CHECK(tries[1].diag_shift == 0.5 && tries[2].diag_shift == 5 && info.diag_shift == 5);
  options.tries = 1;
  options.on_failure = TESSERA_FILL_NAN;
  CHECK(tessera_cholesky_distributed(comm, &a, &x, &options, &info) == TESSERA_OK);
  CHECK(info.leading_minor == 9 && isnan(creal(get(x.data, scalar, 5))) && isnan(info.log_determinant));

  const tessera_operator on_request = {to_dense, (void*)&good, scalar};
  int64_t done = 0;
  options.progress = progress;
  options.progress_context = &done;
  for (failing_rank = 0; failing_rank < ranks; ++failing_rank) {
    const int asked = first_row(good.n, failing_rank) < first_row(good.n, failing_rank + 1);
    failing_status = TESSERA_ERROR;
    x = b_of(&good, x_memory, 0);
    CHECK(!asked || tessera_cholesky_distributed_operator(comm, &on_request, &x, NULL, NULL) == TESSERA_ERROR);
    CHECK(!asked || strcmp(tessera_last_error(), "the numbers are lost") == 0);
    failing_status = TESSERA_OUT_OF_MEMORY;
    CHECK(!asked ||
          tessera_factorize_operator(comm, good.n, &on_request, NULL, NULL, &factor) == TESSERA_OUT_OF_MEMORY);
    a = rows_of(&good);
    CHECK(tessera_cholesky_distributed(comm, &a, &x, &options, NULL) == TESSERA_ERROR);
    CHECK(strcmp(tessera_last_error(), "progress returned 17") == 0);
    CHECK(done > 0);
  }
  failing_rank = -1;
}

int main(int argc, char** argv) {
  int provided = 0;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  comm = MPI_Comm_c2f(MPI_COMM_WORLD);

  where = "before tessera_initialize";
  const System small = {TESSERA_DOUBLE, 4, -1};
  tessera_array a = rows_of(&small), b = b_of(&small, b_memory, 0);
  CHECK(tessera_cholesky_distributed(comm, &a, &b, NULL, NULL) == TESSERA_INVALID_ARGUMENT);
  CHECK(tessera_initialize(-2) == TESSERA_INVALID_ARGUMENT);
  CHECK(tessera_initialize(-1) == TESSERA_OK && tessera_initialize(-1) == TESSERA_OK);

  static const int64_t sizes[] = {0, 1, 2, 5, 13, most};
  for (int scalar = TESSERA_DOUBLE; scalar <= TESSERA_COMPLEX_FLOAT; ++scalar) {
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; ++k) {
      char text[64];
      snprintf(text, sizeof text, "scalar %d, n = %d", scalar, (int)sizes[k]);
      where = text;
      const System s = {scalar, sizes[k], -1};
      solves(&s, 0);
      solves(&s, 7);
    }
    failures(scalar);
  }
  misuse();
  where = "local functions";
  local_functions();

  where = "the end";
  tessera_factor* late = NULL;
  a = rows_of(&small);
  CHECK(tessera_factorize(comm, small.n, &a, NULL, NULL, &late) == TESSERA_OK);
  tessera_factor_free(late);
  CHECK(tessera_finalize() == TESSERA_OK && tessera_finalize() == TESSERA_OK);
  CHECK(tessera_cholesky_distributed(comm, &a, &b, NULL, NULL) == TESSERA_INVALID_ARGUMENT);
  CHECK(tessera_initialize(-1) == TESSERA_INVALID_ARGUMENT);

  MPI_Allreduce(MPI_IN_PLACE, &faults, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
  MPI_Finalize();
  return faults > 0;
}
