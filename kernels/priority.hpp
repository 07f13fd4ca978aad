// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace tessera::kernels {

/// Where several instances have kernels, those of an urgent one go first.
enum class Priority { ordinary, urgent };

}  // namespace tessera::kernels
