/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Tessera from C, and from what calls C: this header is C11 and C++, and needs no header of MPI.
 *
 * Communicators are passed as Fortran knows them: MPI_Comm_c2f(comm) in C, comm.py2f() in mpi4py. The functions named
 * after one of the C++ interface do what that does; what is said there of arguments, collective calls and errors holds
 * here. They return a tessera_status and throw nothing: a collective function fails on every rank if it fails on one.
 * Where it could reach no other rank (a null factor, no communicator, MPI not running) it fails on this one alone.
 *
 * Two threads must not use one factor, or factors on one communicator, at the same time.
 */
#ifndef TESSERA_TESSERA_H
#define TESSERA_TESSERA_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @addtogroup c
 * @{ */

/** How a function ended. */
typedef enum tessera_status {
  TESSERA_OK = 0,
  TESSERA_INVALID_ARGUMENT = 1,      /**< std::invalid_argument: the text names the argument and its value */
  TESSERA_NOT_POSITIVE_DEFINITE = 2, /**< NotPositiveDefinite: tessera_info::leading_minor is its order */
  TESSERA_OUT_OF_MEMORY = 3,         /**< std::bad_alloc */
  TESSERA_MPI_ERROR = 4,             /**< MpiError, on the rank whose MPI call failed */
  TESSERA_ERROR = 5                  /**< any other exception, such as what failed on another rank */
} tessera_status;

/** The numbers in an array; complex ones as C and Fortran store them. */
typedef enum tessera_scalar {
  TESSERA_DOUBLE = 0,
  TESSERA_FLOAT = 1,
  TESSERA_COMPLEX_DOUBLE = 2,
  TESSERA_COMPLEX_FLOAT = 3
} tessera_scalar;

/** Where an array is. */
typedef enum tessera_memory {
  TESSERA_HOST_MEMORY = 0,
  TESSERA_DEVICE_MEMORY = 1 /**< of the CUDA device that Kokkos uses; what has been enqueued there is waited for */
} tessera_memory;

/** Where A is factored. */
typedef enum tessera_space {
  TESSERA_DEFAULT_SPACE = 0, /**< Kokkos::DefaultExecutionSpace: the device, where Kokkos has one */
  TESSERA_HOST_SPACE = 1     /**< Kokkos::DefaultHostExecutionSpace */
} tessera_space;

/** Failure. */
typedef enum tessera_failure { TESSERA_RAISE = 0, TESSERA_FILL_NAN = 1 } tessera_failure;
/** Triangle. */
typedef enum tessera_triangle { TESSERA_LOWER = 0, TESSERA_UPPER = 1 } tessera_triangle;
/** MpiBuffers. */
typedef enum tessera_mpi_buffers {
  TESSERA_MPI_BUFFERS_AUTOMATIC = 0,
  TESSERA_MPI_BUFFERS_DIRECT = 1,
  TESSERA_MPI_BUFFERS_STAGED = 2
} tessera_mpi_buffers;
/** Arithmetic. */
typedef enum tessera_arithmetic { TESSERA_NATIVE = 0, TESSERA_INTEGER = 1, TESSERA_FASTEST = 2 } tessera_arithmetic;

/** Rows of a matrix, as a View has them. One without elements needs no data. */
typedef struct tessera_array {
  void* data;            /**< element (0, 0) */
  int64_t rows;          /**< rows that are here */
  int64_t columns;       /**< columns: of b, right-hand sides */
  int64_t row_stride;    /**< elements from one row to the next: positive, if there are two */
  int64_t column_stride; /**< elements from one column to the next: positive, if there are two */
  int scalar;            /**< a tessera_scalar */
  int memory;            /**< a tessera_memory */
  int by_rows; /**< of right-hand sides: 0: all rows, the same on every rank; 1: this rank's rows, as with ByRows */
} tessera_array;

/**
 * Writes rows first_row, first_row + 1, ... of A, as to_dense of an operator in C++. It must be complete when it
 * returns, and must not communicate. Returns a tessera_status: after any but TESSERA_OK all ranks fail, and are told
 * what it passed to tessera_set_error.
 * @param context of the tessera_operator
 * @param first_row the first of the rows
 * @param rows where to write: rows->data, in rows->memory, of rows->scalar, in any order of the strides
 */
typedef int (*tessera_to_dense)(void* context, int64_t first_row, const tessera_array* rows);

/** A as an operator. */
typedef struct tessera_operator {
  tessera_to_dense to_dense; /**< called on this thread */
  void* context;             /**< its first argument */
  int scalar;                /**< a tessera_scalar */
} tessera_operator;

/** Progress; returns a tessera_status, as tessera_to_dense does. */
typedef int (*tessera_progress)(void* context, int64_t done, int64_t all);

/** CholeskyOptions. Begin with tessera_options_init. All ranks pass the same, but for `progress`. */
typedef struct tessera_options {
  size_t size;               /**< of this struct, where it was compiled */
  int64_t local_tile_size;   /**< CholeskyOptions::local_tile_size */
  int grid_rows;             /**< 0, as grid_cols: nearly square */
  int grid_cols;             /**< process columns */
  double diag_shift;         /**< CholeskyOptions::diag_shift */
  int on_failure;            /**< a tessera_failure; a tessera_factorize always raises */
  int triangle;              /**< a tessera_triangle */
  int tries;                 /**< of the ladder of shifts */
  int mpi_buffers;           /**< a tessera_mpi_buffers */
  double first_shift;        /**< ShiftLadder::first */
  double shift_factor;       /**< ShiftLadder::factor */
  int arithmetic;            /**< a tessera_arithmetic */
  int moduli;                /**< of TESSERA_INTEGER */
  int space;                 /**< a tessera_space */
  int reserved;              /**< 0 */
  tessera_progress progress; /**< or null */
  void* progress_context;    /**< its first argument */
  int64_t bytes_free;        /**< CholeskyOptions::bytes_free; -1: not given */
} tessera_options;

/** PhaseSeconds. */
typedef struct tessera_seconds {
  double redistribute; /**< PhaseSeconds::redistribute */
  double factorize;    /**< PhaseSeconds::factorize */
  double solve;        /**< PhaseSeconds::solve */
  double update;       /**< PhaseSeconds::update */
  double panel;        /**< PhaseSeconds::panel */
  double exchange;     /**< PhaseSeconds::exchange */
  double waiting;      /**< PhaseSeconds::waiting */
} tessera_seconds;

/** ShiftTry. */
typedef struct tessera_shift_try {
  double diag_shift;     /**< ShiftTry::diag_shift */
  int64_t leading_minor; /**< ShiftTry::leading_minor */
} tessera_shift_try;

/**
 * CholeskyInfo. Begin with tessera_info_init. After a failure it has the leading minor, if that was it, and nothing
 * else.
 */
typedef struct tessera_info {
  size_t size;               /**< of this struct, where it was compiled */
  tessera_shift_try* shifts; /**< the caller's: room for as many as tessera_options::tries; or null */
  int64_t leading_minor;     /**< CholeskyInfo::leading_minor */
  int64_t tile_size;         /**< CholeskyInfo::tile_size */
  int grid_rows;             /**< process rows */
  int grid_cols;             /**< process columns */
  double diag_shift;         /**< CholeskyInfo::diag_shift */
  double log_determinant;    /**< CholeskyInfo::log_determinant */
  int tries;                 /**< how many there were */
  int arithmetic;            /**< a tessera_arithmetic */
  int moduli;                /**< CholeskyInfo::moduli */
  int reserved;              /**< 0 */
  tessera_seconds seconds;   /**< CholeskyInfo::seconds */
  int64_t integer_columns;   /**< CholeskyInfo::integer_columns */
} tessera_info;

/** CholeskyFactor, with the scalar that it was made of, in the memory of the space where it was made. */
typedef struct tessera_factor tessera_factor;

/** The default options. @param options is written @param size sizeof *options */
void tessera_options_init(tessera_options* options, size_t size);
/** Nothing yet. @param info is written @param size sizeof *info */
void tessera_info_init(tessera_info* info, size_t size);

/** The version of the library, such as "1.2.3". */
const char* tessera_version(void);
/** What MPI_Get_library_version says here: the handles of communicators are those of this MPI. */
const char* tessera_mpi_library(void);
/** Whether the library takes TESSERA_DEVICE_MEMORY. */
int tessera_has_device(void);

/**
 * Initialises Kokkos, unless it is running. Kokkos reads its own environment variables.
 * @param device the CUDA device to use, or -1: as Kokkos chooses
 */
tessera_status tessera_initialize(int device);
/** Finalises Kokkos, if tessera_initialize has initialised it. Factors must have been freed. Kokkos begins only once.
 */
tessera_status tessera_finalize(void);

/** The text of this thread's last error; "" if its last function ended well. Valid until its next one. */
const char* tessera_last_error(void);
/** Sets that text: for a tessera_to_dense, or a tessera_progress, that is about to fail. */
void tessera_set_error(const char* text);

/** to = from: arrays of the same extents and scalar, in any memory. Local; complete when it returns. */
tessera_status tessera_copy(const tessera_array* from, const tessera_array* to);

/**
 * Solves A x = b, and replaces b by x. Collective over `comm`. If it fails, b is as it was.
 * @param comm MPI_Comm_c2f of a communicator
 * @param a this rank's rows of A; not changed
 * @param b right-hand sides, which become x
 * @param options null: the defaults
 * @param info may be null
 */
tessera_status tessera_cholesky_distributed(int comm, const tessera_array* a, const tessera_array* b,
                                            const tessera_options* options, tessera_info* info);
/** The same, for an operator. */
tessera_status tessera_cholesky_distributed_operator(int comm, const tessera_operator* a, const tessera_array* b,
                                                     const tessera_options* options, tessera_info* info);
/** Fails on every rank, as a call of another function with invalid arguments would: for callers with checks of their
 * own. Collective over `comm`. */
tessera_status tessera_refuse(int comm, const char* text);

/**
 * Factors A = L L^H. Collective over `comm`.
 * @param comm MPI_Comm_c2f of a communicator
 * @param n rows and columns of A
 * @param a this rank's rows of A; not changed
 * @param options null: the defaults
 * @param info may be null
 * @param factor the result, or null if it fails: see tessera_factor_free
 */
tessera_status tessera_factorize(int comm, int64_t n, const tessera_array* a, const tessera_options* options,
                                 tessera_info* info, tessera_factor** factor);
/** The same, for an operator. */
tessera_status tessera_factorize_operator(int comm, int64_t n, const tessera_operator* a,
                                          const tessera_options* options, tessera_info* info, tessera_factor** factor);
/** Frees a factor; null is ignored. To be called on every rank, before tessera_finalize: later, its memory leaks. */
void tessera_factor_free(tessera_factor* factor);

/** @{ What a factor does to right-hand sides, in place. Collective over the factor's ranks. */
tessera_status tessera_solve(tessera_factor* factor, const tessera_array* b);
tessera_status tessera_solve_lower(tessera_factor* factor, const tessera_array* b);
tessera_status tessera_solve_upper(tessera_factor* factor, const tessera_array* b);
tessera_status tessera_multiply_lower(tessera_factor* factor, const tessera_array* b);
tessera_status tessera_multiply_upper(tessera_factor* factor, const tessera_array* b);
/** @} */
/**
 * The diagonal of A^-1. Collective.
 * @param factor of A
 * @param d n x 1, double or float, as the factor's real numbers are
 */
tessera_status tessera_inverse_diagonal(tessera_factor* factor, const tessera_array* d);
/** As tessera_refuse, over the factor's ranks. */
tessera_status tessera_factor_refuse(tessera_factor* factor, const char* text);

/** log det A; NaN of null. Local. */
double tessera_log_determinant(const tessera_factor* factor);
/** Rows and columns of A; -1 of null. Local. */
int64_t tessera_n(const tessera_factor* factor);

/** Where A comes from in a plan. */
typedef enum tessera_source {
  TESSERA_ROWS = 0,         /**< rows in memory that the space can access */
  TESSERA_BUFFERED_ROWS = 1 /**< rows in other memory, or an operator */
} tessera_source;

/** MemoryPlanOptions. Begin with tessera_plan_options_init. */
typedef struct tessera_plan_options {
  size_t size;        /**< of this struct, where it was compiled */
  int64_t nrhs;       /**< MemoryPlanOptions::nrhs */
  int64_t tile_size;  /**< MemoryPlanOptions::tile_size */
  int64_t bytes_free; /**< -1: not given */
  int grid_rows;      /**< 0, as grid_cols: nearly square */
  int grid_cols;      /**< process columns */
  int by_rows;        /**< MemoryPlanOptions::by_rows */
  int source;         /**< a tessera_source */
  int triangle;       /**< a tessera_triangle */
  int arithmetic;     /**< a tessera_arithmetic */
  int moduli;         /**< MemoryPlanOptions::moduli */
  int inverse;        /**< MemoryPlanOptions::inverse */
  int space;          /**< a tessera_space */
  int reserved;       /**< 0 */
} tessera_plan_options;

/** RankMemory and RankTraffic, but that x takes no memory of its own. */
typedef struct tessera_rank_plan {
  int64_t matrix;           /**< RankMemory::matrix */
  int64_t inverses;         /**< RankMemory::inverses */
  int64_t right_hand_sides; /**< RankMemory::right_hand_sides */
  int64_t redistribute;     /**< RankMemory::redistribute */
  int64_t factorize;        /**< RankMemory::factorize */
  int64_t solve;            /**< RankMemory::solve */
  int64_t inverse;          /**< RankMemory::inverse */
  int64_t peak;             /**< RankMemory::peak */
  int64_t messages_sent;    /**< RankTraffic::messages */
  int64_t bytes_sent;       /**< RankTraffic::bytes */
} tessera_rank_plan;

/** MemoryPlan. */
typedef struct tessera_plan {
  int64_t peak;            /**< bytes, of the rank that needs the most */
  int64_t total;           /**< bytes, of all ranks */
  int64_t tile_size;       /**< MemoryPlan::tile_size */
  int64_t slab;            /**< MemoryPlan::slab */
  int grid_rows;           /**< process rows */
  int grid_cols;           /**< process columns */
  int moduli;              /**< MemoryPlan::moduli */
  int fits;                /**< MemoryPlan::fits */
  int64_t integer_columns; /**< MemoryPlan::integer_columns */
} tessera_plan;

/** The default options. @param options is written @param size sizeof *options */
void tessera_plan_options_init(tessera_plan_options* options, size_t size);
/**
 * memory_plan. Local; needs neither MPI nor Kokkos to be initialised.
 * @param scalar a tessera_scalar
 * @param n rows and columns of A
 * @param ranks how many there are
 * @param options null: the defaults
 * @param plan the result
 * @param each room for one of each rank, or null
 */
tessera_status tessera_memory_plan(int scalar, int64_t n, int ranks, const tessera_plan_options* options,
                                   tessera_plan* plan, tessera_rank_plan* each);

/** @} */

#ifdef __cplusplus
}
#endif

#endif
