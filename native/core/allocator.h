#pragma once

namespace sensorium {

/// Makes the C allocator map every block of 256 KiB and more on its own, so that freeing it gives its memory back to the system
/// at once: glibc otherwise raises that bound to the largest block freed so far, and decoded pictures stay in its heaps.
/// For the whole process; does nothing with other allocators.
void return_freed_memory();

}  // namespace sensorium
