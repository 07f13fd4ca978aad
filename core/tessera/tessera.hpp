#pragma once

/// @file
/// All of Tessera.

/// @namespace tessera
/// Dense Hermitian positive definite systems in Kokkos::Views, distributed over MPI ranks.

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
#include <tessera/sharded_matrix.hpp>
#include <tessera/version.hpp>
