// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/// @file
/// All of Tessera.

/// @namespace tessera
/// Dense Hermitian positive definite systems in Kokkos::Views, distributed over MPI ranks.

/// @defgroup one_call One call
/// A x = b from this rank's rows of A, as a function and as an object.
/// @defgroup pieces Pieces
/// The process grid, the matrix in its tiles, how A comes there, and what is measured of it.
/// @defgroup factor Factor
/// A = L L^H, and all that is done with L.
/// @defgroup gram Gram matrices
/// A = J J^H or J^H J of a Jacobian J.
/// @defgroup plan Plan
/// What memory a system takes, and what is sent, before anything is allocated.
/// @defgroup c C
/// The C interface.
/// @defgroup scalapack ScaLAPACK
/// To and from ScaLAPACK's distributed arrays.

#include <tessera/by_rows.hpp>
#include <tessera/cholesky_distributed.hpp>
#include <tessera/cholesky_factor.hpp>
#include <tessera/distribution.hpp>
#include <tessera/errors.hpp>
#include <tessera/gram.hpp>
#include <tessera/inner_product.hpp>
#include <tessera/invert.hpp>
#include <tessera/memory_plan.hpp>
#include <tessera/norm_one.hpp>
#include <tessera/options.hpp>
#include <tessera/process_grid.hpp>
#include <tessera/redistribute.hpp>
#include <tessera/row_ids.hpp>
#include <tessera/scalapack.hpp>
#include <tessera/sharded_matrix.hpp>
#include <tessera/version.hpp>
