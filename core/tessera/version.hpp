// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/// @file
/// The version of Tessera: of these headers by macros, of the library that is linked by a function.
///
/// Until 1.0 releases with other minor numbers may differ in their interface; those that differ in the patch alone do
/// not.

#define TESSERA_VERSION_MAJOR 0  ///< of these headers
#define TESSERA_VERSION_MINOR 2  ///< of these headers
#define TESSERA_VERSION_PATCH 0  ///< of these headers
#define TESSERA_VERSION "0.2.0"  ///< of these headers, "major.minor.patch"

namespace tessera {

/// The version of the library that is linked, "major.minor.patch"; it is TESSERA_VERSION where headers and library
/// belong together. Local; needs neither MPI nor Kokkos to be initialised.
const char* version() noexcept;

}  // namespace tessera
