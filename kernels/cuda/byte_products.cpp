// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/cuda/byte_products.hpp"

#include "kernels/cuda/cublas_status.hpp"

#include <array>

namespace tessera::kernels {
namespace {

bool is_done(cublasStatus_t status) { return status == CUBLAS_STATUS_SUCCESS; }

/// What cuBLASLt wants to know of a product.
class Problem {
 public:
  Problem(int planes, std::int64_t m, std::int64_t n, std::int64_t k, const Planes<const std::int8_t>& a,
          const Planes<const std::int8_t>& b, const Planes<std::int32_t>& c) {
    const cublasOperation_t transposed = CUBLAS_OP_T;
    is_described_ = is_done(cublasLtMatmulDescInit(&product, CUBLAS_COMPUTE_32I, CUDA_R_32I)) &&
                    is_done(cublasLtMatmulDescSetAttribute(&product, CUBLASLT_MATMUL_DESC_TRANSA, &transposed,
                                                           sizeof transposed)) &&
                    describe(left, CUDA_R_8I, k, m, a.leading_dimension, planes, a.plane) &&
                    describe(right, CUDA_R_8I, k, n, b.leading_dimension, planes, b.plane) &&
                    describe(out, CUDA_R_32I, m, n, c.leading_dimension, planes, c.plane);
  }

  bool is_described() const { return is_described_; }

  bool is_done_by(cublasLtHandle_t handle, const cublasLtMatmulAlgo_t& algorithm, std::size_t workspace_bytes) {
    cublasLtMatmulHeuristicResult_t result;
    return is_described_ &&
           is_done(cublasLtMatmulAlgoCheck(handle, &product, &left, &right, &out, &out, &algorithm, &result)) &&
           result.workspaceSize <= workspace_bytes;
  }

  cublasLtMatmulDescOpaque_t product;
  cublasLtMatrixLayoutOpaque_t left;
  cublasLtMatrixLayoutOpaque_t right;
  cublasLtMatrixLayoutOpaque_t out;

 private:
  static bool describe(cublasLtMatrixLayoutOpaque_t& layout, cudaDataType type, std::int64_t rows, std::int64_t columns,
                       std::int64_t leading_dimension, int planes, std::int64_t plane) {
    const auto set = [&](cublasLtMatrixLayoutAttribute_t attribute, const auto& value) {
      return is_done(cublasLtMatrixLayoutSetAttribute(&layout, attribute, &value, sizeof value));
    };
    return is_done(cublasLtMatrixLayoutInit(&layout, type, static_cast<std::uint64_t>(rows),
                                            static_cast<std::uint64_t>(columns), leading_dimension)) &&
           set(CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, planes) && set(CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, plane);
  }

  bool is_described_;
};

template <class Value>
Value value_of(const cublasLtMatmulAlgo_t& algorithm, cublasLtMatmulAlgoConfigAttributes_t attribute) {
  Value value = {};
  cublasLtMatmulAlgoConfigGetAttribute(&algorithm, attribute, &value, sizeof value, nullptr);
  return value;
}

struct Candidates {
  std::array<cublasLtMatmulHeuristicResult_t, 16> all;
  int count = 0;
};

/// What cuBLASLt thinks of for a large product.
Candidates find_candidates(cublasLtHandle_t handle, std::size_t workspace_bytes) {
  constexpr std::int64_t m = 8192;
  constexpr std::int64_t n = 1024;
  constexpr std::int64_t k = 32768;
  Problem large(13, m, n, k, {nullptr, k, m * k}, {nullptr, k, n * k}, {nullptr, m, m * n});
  cublasLtMatmulPreferenceOpaque_t preference;
  const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t attribute, const auto& value) {
    return is_done(cublasLtMatmulPreferenceSetAttribute(&preference, attribute, &value, sizeof value));
  };
  constexpr std::uint32_t alignment = 16;
  Candidates found;
  if (!large.is_described() || !is_done(cublasLtMatmulPreferenceInit(&preference)) ||
      !prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspace_bytes) ||
      !prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment) ||
      !prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment) ||
      !prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment) ||
      !prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment) ||
      !is_done(cublasLtMatmulAlgoGetHeuristic(handle, &large.product, &large.left, &large.right, &large.out, &large.out,
                                              &preference, static_cast<int>(found.all.size()), found.all.data(),
                                              &found.count))) {
    found.count = 0;
  }
  return found;
}

constexpr std::int64_t tile_rows = 128;
constexpr std::int64_t tile_columns = 256;

/// Hopper's kernel, which alone has clusters of multiprocessors, with these tiles, two neighbours in a row of which
/// share what they read. None on another kind of device.
std::optional<cublasLtMatmulAlgo_t> find_fast(cublasLtHandle_t handle, std::size_t workspace_bytes) {
  constexpr std::uint32_t tile = CUBLASLT_MATMUL_TILE_128x256;
  const Candidates candidates = find_candidates(handle, workspace_bytes);
  for (int i = 0; i < candidates.count; ++i) {
    if (!is_done(candidates.all[static_cast<std::size_t>(i)].state)) continue;
    const cublasLtMatmulAlgo_t& candidate = candidates.all[static_cast<std::size_t>(i)].algo;
    if (value_of<std::uint32_t>(candidate, CUBLASLT_ALGO_CONFIG_TILE_ID) != tile) continue;
    if (value_of<std::uint16_t>(candidate, CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID) == CUBLASLT_CLUSTER_SHAPE_AUTO) {
      continue;
    }
    cublasLtMatmulAlgo_t fast;
    if (!is_done(cublasLtMatmulAlgoInit(handle, CUBLAS_COMPUTE_32I, CUDA_R_32I, CUDA_R_8I, CUDA_R_8I, CUDA_R_32I,
                                        CUDA_R_32I, value_of<int>(candidate, CUBLASLT_ALGO_CONFIG_ID), &fast))) {
      continue;
    }
    const auto configure = [&](cublasLtMatmulAlgoConfigAttributes_t attribute, const auto& value) {
      return is_done(cublasLtMatmulAlgoConfigSetAttribute(&fast, attribute, &value, sizeof value));
    };
    if (configure(CUBLASLT_ALGO_CONFIG_TILE_ID, tile) &&
        configure(CUBLASLT_ALGO_CONFIG_STAGES_ID, value_of<std::uint32_t>(candidate, CUBLASLT_ALGO_CONFIG_STAGES_ID)) &&
        configure(CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID, std::uint16_t{CUBLASLT_CLUSTER_SHAPE_1x2x1})) {
      return fast;
    }
  }
  return std::nullopt;
}

}  // namespace

/// Whether nearly all multiprocessors have tiles of C all the while, one at a time.
bool ByteProducts::is_large(int planes, std::int64_t m, std::int64_t n) const {
  const std::int64_t tiles_across = (n + tile_columns - 1) / tile_columns;
  const std::int64_t tiles = (m + tile_rows - 1) / tile_rows * tiles_across * planes;
  const std::int64_t rounds = (tiles + multiprocessors_ - 1) / multiprocessors_;
  return tiles_across % 2 == 0 && 100 * tiles >= 93 * rounds * multiprocessors_;
}

void ByteProducts::run(cublasHandle_t blas, void* workspace, std::size_t workspace_bytes, int planes, std::int64_t m,
                       std::int64_t n, std::int64_t k, const Planes<const std::int8_t>& a,
                       const Planes<const std::int8_t>& b, std::int32_t beta, const Planes<std::int32_t>& c) {
  const auto handle = reinterpret_cast<cublasLtHandle_t>(blas);
  const std::int32_t one = 1;
  if (is_large(planes, m, n)) {
    if (!has_looked_) fast_ = find_fast(handle, workspace_bytes);
    has_looked_ = true;
    Problem problem(planes, m, n, k, a, b, c);
    cudaStream_t stream = nullptr;
    if (fast_ && problem.is_done_by(handle, *fast_, workspace_bytes) && is_done(cublasGetStream(blas, &stream)) &&
        is_done(cublasLtMatmul(handle, &problem.product, &one, a.data, &problem.left, b.data, &problem.right, &beta,
                               c.data, &problem.out, c.data, &problem.out, &*fast_, workspace, workspace_bytes,
                               stream))) {
      return;
    }
  }
  // With more planes in a call cuBLAS picks kernels that are slower by a third.
  constexpr int most_planes = 15;
  const int calls = (planes + most_planes - 1) / most_planes;
  for (int call = 0; call < calls; ++call) {
    const int first = planes * call / calls;
    const int count = planes * (call + 1) / calls - first;
    check(cublasGemmStridedBatchedEx(blas, CUBLAS_OP_T, CUBLAS_OP_N, static_cast<int>(m), static_cast<int>(n),
                                     static_cast<int>(k), &one, a.data + first * a.plane, CUDA_R_8I,
                                     static_cast<int>(a.leading_dimension), a.plane, b.data + first * b.plane,
                                     CUDA_R_8I, static_cast<int>(b.leading_dimension), b.plane, &beta,
                                     c.data + first * c.plane, CUDA_R_32I, static_cast<int>(c.leading_dimension),
                                     c.plane, count, CUBLAS_COMPUTE_32I, CUBLAS_GEMM_DEFAULT),
          "cublasGemmStridedBatchedEx");
  }
}

}  // namespace tessera::kernels
