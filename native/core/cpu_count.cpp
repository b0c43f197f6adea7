#include "core/cpu_count.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace sensorium {
namespace {

#if defined(__linux__)

constexpr int kMaxCpus = 8192;

std::optional<std::string> read_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  return line;
}

std::vector<int> allowed_cpus() {
  std::vector<cpu_set_t> mask(kMaxCpus / CPU_SETSIZE);
  const size_t size_bytes = mask.size() * sizeof(cpu_set_t);
  std::vector<int> cpus;
  if (sched_getaffinity(0, size_bytes, mask.data()) != 0) return cpus;
  for (int cpu = 0; cpu < kMaxCpus; ++cpu) {
    if (CPU_ISSET_S(static_cast<size_t>(cpu), size_bytes, mask.data())) cpus.push_back(cpu);
  }
  return cpus;
}

int count_cores() {
  std::set<std::string> cores;  // a core is known by the list of its hyper-threads
  for (const int cpu : allowed_cpus()) {
    const std::string topology = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list";
    cores.insert(read_line(topology).value_or("cpu" + std::to_string(cpu)));
  }
  return static_cast<int>(cores.size());
}

/// CPUs that a quota and its period grant, absent when they set no limit ("max" or -1).
std::optional<double> parse_quota(const std::string& quota, const std::string& period) {
  const double quota_us = std::strtod(quota.c_str(), nullptr);
  const double period_us = std::strtod(period.c_str(), nullptr);
  if (quota_us <= 0 || period_us <= 0) return std::nullopt;
  return quota_us / period_us;
}

/// cpu.max of version 2 of control groups: "<quota> <period>".
std::optional<double> read_quota(const std::string& folder) {
  const auto line = read_line(folder + "/cpu.max");
  const size_t space = line ? line->find(' ') : std::string::npos;
  return space == std::string::npos ? std::nullopt : parse_quota(line->substr(0, space), line->substr(space + 1));
}

/// The tightest quota of this process's control group and those around it.
std::optional<double> cpu_quota() {
  const std::string root = "/sys/fs/cgroup";
  const std::string own = read_line("/proc/self/cgroup").value_or("");  // "0::/path" in version 2
  std::string path = own.starts_with("0::/") ? own.substr(3) : "/";
  std::optional<double> tightest;
  for (;;) {
    const auto quota = read_quota(root + path);
    if (quota && (!tightest || *quota < *tightest)) tightest = quota;
    if (path.size() <= 1) break;
    path.resize(std::max<size_t>(path.rfind('/'), 1));
  }
  if (tightest) return tightest;
  const auto quota = read_line(root + "/cpu/cpu.cfs_quota_us");  // version 1
  const auto period = read_line(root + "/cpu/cpu.cfs_period_us");
  return quota && period ? parse_quota(*quota, *period) : std::nullopt;
}

#elif defined(__APPLE__)

int count_cores() {
  int count = 0;
  size_t size_bytes = sizeof(count);
  return sysctlbyname("hw.perflevel0.physicalcpu", &count, &size_bytes, nullptr, 0) == 0 ? count : 0;
}

std::optional<double> cpu_quota() { return std::nullopt; }

#else

int count_cores() { return 0; }
std::optional<double> cpu_quota() { return std::nullopt; }

#endif

}  // namespace

int num_usable_physical_cores() {
  int cores = count_cores();
  if (cores == 0) cores = static_cast<int>(std::thread::hardware_concurrency());
  if (const auto quota = cpu_quota()) cores = std::min(cores, static_cast<int>(*quota));
  return std::max(cores, 1);
}

}  // namespace sensorium
