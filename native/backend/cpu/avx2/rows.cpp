#include "backend/cpu/rows.h"

#if defined(__x86_64__)

#include "backend/cpu/avx2/vector_math.h"
#include "backend/cpu/simd/rows.h"

namespace sensorium {

const RowKernels& avx2_row_kernels() { return simd::kRowKernels<Avx2Math>; }

}  // namespace sensorium

#endif
