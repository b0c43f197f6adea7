#include "core/allocator.h"

#include <cstdlib>  // defines __GLIBC__ where the library is glibc

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace sensorium {

void return_freed_memory() {
#if defined(__GLIBC__)
  constexpr int kMappedBlockBytes = 256 * 1024;
  mallopt(M_MMAP_THRESHOLD, kMappedBlockBytes);
  mallopt(M_TRIM_THRESHOLD, kMappedBlockBytes);
#endif
}

}  // namespace sensorium
