# SPDX-License-Identifier: BSD-3-Clause
from pathlib import Path

from spack_repo.builtin.build_systems.cmake import CMakePackage
from spack_repo.builtin.build_systems.cuda import CudaPackage

from spack.package import *


class Tessera(CMakePackage, CudaPackage):
    """Distributed dense Cholesky for Kokkos applications: solves Hermitian positive definite systems
    that are too large for one device, on MPI ranks with CPUs or NVIDIA GPUs."""

    # The clone that this recipe stands in: it goes where the sources go.
    git = Path(__file__).resolve().parents[6].as_uri()

    license("BSD-3-Clause")

    version("main", branch="main")
    version("0.2.0", tag="v0.2.0")

    variant("shared", default=True, description="Build a shared library")
    variant("programs", default=False, description="Build tessera-solve and tessera-compare")
    variant("python", default=False, description="Install the Python module")
    variant("scalapack", default=False, description="Build the library that takes ScaLAPACK's place")

    depends_on("cxx", type="build")
    depends_on("cmake@3.24:", type="build")
    depends_on("mpi")
    depends_on("blas")
    depends_on("kokkos@3.4:5 +serial")
    depends_on("kokkos-kernels@3.4:5 +blas")

    for shared in ("shared", "python", "scalapack"):
        depends_on("kokkos+shared+pic", when=f"+{shared}")
        depends_on("kokkos-kernels+shared", when=f"+{shared}")
    depends_on("scalapack", when="+scalapack")

    with when("+python"):
        extends("python")
        depends_on("py-numpy", type="run")
        depends_on("py-mpi4py", type="run")

    with when("+programs"):
        depends_on("c", type="build")
        depends_on("cli11", type="build")
        depends_on("nlohmann-json", type="build")
        depends_on("hdf5")
        depends_on("lapack")

    for arch in CudaPackage.cuda_arch_values:
        depends_on(f"kokkos+cuda+wrapper cuda_arch={arch}", when=f"+cuda cuda_arch={arch}")
        depends_on(f"kokkos-kernels+cuda+cublas cuda_arch={arch}", when=f"+cuda cuda_arch={arch}")
    requires("^kokkos+cuda_lambda", when="+cuda ^kokkos@:4")
    conflicts("cuda_arch=none", when="+cuda", msg="+cuda needs the GPU's cuda_arch")
    conflicts("^kokkos@:4.7.01", when="+cuda ^cuda@13:", msg="CUDA 13 needs Kokkos 4.7.02 or newer")

    def cmake_args(self):
        args = [
            self.define("TESSERA_BUILD_TESTS", False),
            self.define_from_variant("TESSERA_BUILD_PERF", "programs"),
            self.define_from_variant("TESSERA_BUILD_PYTHON", "python"),
            self.define_from_variant("TESSERA_BUILD_SCALAPACK", "scalapack"),
            self.define_from_variant("BUILD_SHARED_LIBS", "shared"),
        ]
        if self.spec.satisfies("+python"):
            args.append(self.define("TESSERA_PYTHON_DIR", python_platlib))
        if self.spec.satisfies("+cuda"):
            args.append(self.define("CMAKE_CXX_COMPILER", self["kokkos"].kokkos_cxx))
        return args
