# SPDX-License-Identifier: BSD-3-Clause
# Finds what Tessera is linked with, whatever Kokkos the application already has, and mends what some packages get
# wrong. The build and the installed package both come here, so that they agree. Afterwards there are
#
#   Kokkos::kokkos, MPI::MPI_CXX    part of the interface
#   Tessera::kokkos_kernels         Kokkos Kernels, whose target has another name in every packaging
#   Tessera::blas                   the host's BLAS and, where Kokkos has CUDA, cuBLAS

include(FindPackageHandleStandardArgs)

set(quiet "")
if(TesseraDependencies_FIND_QUIETLY)
  set(quiet QUIET)
endif()

if(NOT DEFINED CMAKE_CXX_EXTENSIONS)
  set(CMAKE_CXX_EXTENSIONS OFF)  # else Kokkos does it, with a warning
endif()

# No version in the calls: what Debian 12 ships refuses any.
if(NOT TARGET Kokkos::kokkos)
  find_package(Kokkos ${quiet})
endif()
if(NOT TARGET Kokkos::kokkoskernels)
  find_package(KokkosKernels ${quiet})
endif()
find_package(MPI ${quiet} COMPONENTS CXX)
find_package(BLAS ${quiet})
if(Kokkos_ENABLE_CUDA)
  find_package(CUDAToolkit ${quiet})
endif()

# Trilinos before 14 (Debian 12, Ubuntu 24.04): Kokkos::kokkos points at an include directory that does not exist; so
# does Kokkos_INCLUDE_DIRS where the package was found through /lib, a link to /usr/lib. Only the header is proof.
if(TARGET trilinos_kokkoscore AND TARGET Kokkos::kokkos)
  find_path(Tessera_KOKKOS_INCLUDE_DIR Kokkos_Core.hpp HINTS ${Kokkos_INCLUDE_DIRS} PATH_SUFFIXES trilinos)
  mark_as_advanced(Tessera_KOKKOS_INCLUDE_DIR)
  set_target_properties(Kokkos::kokkos PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${Tessera_KOKKOS_INCLUDE_DIR}")
endif()

# In this order: a plain install, Trilinos from 14 on, Trilinos before (a target without include directory).
set(Tessera_KOKKOS_KERNELS "")
foreach(candidate Kokkos::kokkoskernels KokkosKernels::all_libs trilinos_kokkoskernels)
  if(TARGET ${candidate})
    set(Tessera_KOKKOS_KERNELS ${candidate})
    break()
  endif()
endforeach()

set(Tessera_KOKKOS "")
if(Kokkos_VERSION AND Kokkos_VERSION VERSION_LESS 3.4)
  set(reason REASON_FAILURE_MESSAGE "Kokkos ${Kokkos_VERSION} in ${Kokkos_DIR} is older than 3.4")
elseif(TARGET Kokkos::kokkos)
  set(Tessera_KOKKOS Kokkos::kokkos)
endif()

set(required Tessera_KOKKOS Tessera_KOKKOS_KERNELS MPI_CXX_FOUND BLAS_FOUND)
if(Kokkos_ENABLE_CUDA)
  list(APPEND required CUDAToolkit_FOUND)
endif()
find_package_handle_standard_args(TesseraDependencies REQUIRED_VARS ${required} ${reason})

if(TesseraDependencies_FOUND AND NOT TARGET Tessera::kokkos_kernels)
  add_library(Tessera::kokkos_kernels INTERFACE IMPORTED)
  target_link_libraries(Tessera::kokkos_kernels INTERFACE ${Tessera_KOKKOS_KERNELS} Kokkos::kokkos)
  add_library(Tessera::blas INTERFACE IMPORTED)
  target_link_libraries(Tessera::blas INTERFACE BLAS::BLAS)
  if(Kokkos_ENABLE_CUDA)
    target_link_libraries(Tessera::blas INTERFACE CUDA::cublas CUDA::cublasLt)
  endif()
endif()
unset(quiet)
unset(reason)
unset(required)
