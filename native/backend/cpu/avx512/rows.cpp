#include "backend/cpu/rows.h"

#if defined(__x86_64__)

#include "backend/cpu/avx512/vector_math.h"
#include "backend/cpu/simd/rows.h"

namespace sensorium {

const RowKernels& avx512_row_kernels() { return simd::kRowKernels<Avx512Math>; }

}  // namespace sensorium

#endif
