#pragma once

#include <cstddef>

namespace sensorium::binding {

/// Bytes this process may use: physical memory or its control group's limit, whichever is lower.
size_t memory_limit_bytes();

}  // namespace sensorium::binding
