#include "parallel/threads.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <string_view>
#include <system_error>

#include "potstill/error.h"

namespace potstill::parallel {
namespace {

int checked(long value, const std::string& text, const char* where) {
  if (value < 1 || value > kMaxThreads) {
    throw Error("I004", "'" + text + "' is no thread count", where,
                "give a number from 1 to " + std::to_string(kMaxThreads));
  }
  return static_cast<int>(value);
}

// quota / period in whole CPUs; 0 when there is no limit.
int whole_cpus(double quota, double period) {
  if (quota <= 0 || period <= 0) return 0;
  return std::clamp(static_cast<int>(std::min(quota / period, 1e6)), 1, 1 << 20);
}

int smaller_limit(int a, int b) { return a == 0 ? b : b == 0 ? a : std::min(a, b); }

// One group's own limit: cpu.max of version 2, or the cfs files of version 1.
int group_limit(const std::string& folder) {
  if (std::ifstream file(folder + "/cpu.max"); file) {
    std::string quota;
    double period = 0;
    if (file >> quota >> period && quota != "max") return whole_cpus(std::strtod(quota.c_str(), nullptr), period);
    return 0;
  }
  double quota = 0, period = 0;
  std::ifstream quota_file(folder + "/cpu.cfs_quota_us"), period_file(folder + "/cpu.cfs_period_us");
  if (quota_file >> quota && period_file >> period) return whole_cpus(quota, period);
  return 0;
}

// The limit of a group and of all its parents up to the mount point.
int tree_limit(const std::string& mount, std::string path) {
  int limit = group_limit(mount);
  while (path.size() > 1) {
    limit = smaller_limit(limit, group_limit(mount + path));
    path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
  return limit;
}

bool names_cpu(std::string_view controllers) {
  while (!controllers.empty()) {
    const std::size_t comma = std::min(controllers.find(','), controllers.size());
    if (controllers.substr(0, comma) == "cpu") return true;
    controllers.remove_prefix(std::min(comma + 1, controllers.size()));
  }
  return false;
}

}  // namespace

int quota_cpus(const std::string& root) {
  int limit = 0;
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // "id:controllers:path"
    const std::size_t first = line.find(':'), second = line.find(':', first == std::string::npos ? first : first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1), path = line.substr(second + 1);
    if (controllers.empty()) {
      limit = smaller_limit(limit, tree_limit(root + "/sys/fs/cgroup", path));
    } else if (names_cpu(controllers)) {
      limit = smaller_limit(limit, tree_limit(root + "/sys/fs/cgroup/cpu", path));
      limit = smaller_limit(limit, tree_limit(root + "/sys/fs/cgroup/" + controllers, path));
    }
  }
  return limit;
}

int affinity_cpus() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return 1;  // more CPUs than cpu_set_t can name: the caller can still ask for a number
}

int resolve_threads(int requested) {
  if (requested != 0) return checked(requested, std::to_string(requested), "threads");
  if (const char* text = std::getenv("POTSTILL_NUM_THREADS"); text != nullptr && *text != '\0') {
    const std::string_view view(text);
    long value = 0;
    const auto [end, error] = std::from_chars(view.data(), view.data() + view.size(), value);
    const bool whole = error == std::errc() && end == view.data() + view.size();
    return checked(whole ? value : 0, std::string(view.substr(0, 40)), "POTSTILL_NUM_THREADS");
  }
  const int cpus = affinity_cpus(), quota = quota_cpus();
  return std::clamp(quota > 0 ? std::min(cpus, quota) : cpus, 1, kMaxThreads);
}

}  // namespace potstill::parallel
