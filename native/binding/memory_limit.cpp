#include "binding/memory_limit.h"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <fstream>

namespace sensorium::binding {
namespace {

/// The number in a control group's file, or SIZE_MAX when it is absent or "max".
size_t read_limit(const char* path) {
  std::ifstream file(path);
  size_t limit = 0;
  return file >> limit && limit > 0 ? limit : SIZE_MAX;
}

}  // namespace

size_t memory_limit_bytes() {
  const long num_pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
  const size_t physical =
      num_pages > 0 && page_bytes > 0 ? static_cast<size_t>(num_pages) * static_cast<size_t>(page_bytes) : size_t{4} << 30;
  return std::min(
      {physical, read_limit("/sys/fs/cgroup/memory.max"), read_limit("/sys/fs/cgroup/memory/memory.limit_in_bytes")});
}

}  // namespace sensorium::binding
