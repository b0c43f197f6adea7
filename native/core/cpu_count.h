#pragma once

namespace sensorium {

/// Physical cores this process may use: its CPU affinity, sibling hyper-threads counted once, and no more than its
/// control group's CPU quota. At least 1.
int num_usable_physical_cores();

}  // namespace sensorium
