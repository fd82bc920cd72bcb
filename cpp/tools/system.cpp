#include "tools/system.h"

#include <sys/utsname.h>
#include <unistd.h>

#include "kernels/select.h"
#include "parallel/threads.h"
#include "potstill/potstill.h"
#include "tools/json.h"

namespace potstill::tools {
namespace {

constexpr const char* kMachine =
#if defined(__x86_64__)
    "x86_64";
#elif defined(__aarch64__)
    "aarch64";
#elif defined(__arm__)
    "armv7l";
#else
    "other";
#endif

std::string joined(const std::vector<std::string>& words, const char* between) {
  std::string all;
  for (const std::string& word : words) all += (all.empty() ? "" : between) + word;
  return all;
}

}  // namespace

System this_system() {
  System s;
  s.version = potstill_version();
  s.machine = kMachine;
  s.bits = static_cast<int>(sizeof(void*) * 8);
  utsname name{};
  if (uname(&name) == 0) {
    s.system = name.machine;
    s.kernel = std::string(name.sysname) + " " + name.release;
  }
  s.features = cpu::to_string(cpu::detect());
  s.kernel_set = kernels::active().name;
  s.usable = kernels::available();
  s.threads = parallel::resolve_threads(0);
  s.cpus = parallel::affinity_cpus();
  s.quota = parallel::quota_cpus();
  s.page_size = sysconf(_SC_PAGESIZE);
  return s;
}

std::string text(const System& s) {
  const std::string limit = s.quota == 0 ? "no cgroup limit" : "cgroup limit " + std::to_string(s.quota);
  return "potstill: " + s.version + "\nmachine: " + s.machine + ", " + std::to_string(s.bits) + "-bit program; " +
         s.kernel + " " + s.system + "\nCPU features: " + s.features + "\nkernel set: " + s.kernel_set +
         " (usable here: " + joined(s.usable, ", ") + ")\nthreads: " + std::to_string(s.threads) + " (" +
         std::to_string(s.cpus) + " CPUs, " + limit + ")\npage size: " + std::to_string(s.page_size) + "\n";
}

std::string json(const System& s) {
  std::string usable;
  for (const std::string& set : s.usable) usable += (usable.empty() ? "" : ", ") + quoted(set);
  return "{\"potstill\": " + quoted(s.version) + ", \"machine\": " + quoted(s.machine) +
         ", \"bits\": " + std::to_string(s.bits) + ", \"system\": " + quoted(s.system) +
         ", \"kernel\": " + quoted(s.kernel) + ", \"features\": " + quoted(s.features) +
         ", \"kernel_set\": " + quoted(s.kernel_set) + ", \"usable\": [" + usable +
         "], \"threads\": " + std::to_string(s.threads) + ", \"cpus\": " + std::to_string(s.cpus) +
         ", \"quota\": " + std::to_string(s.quota) + ", \"page_size\": " + std::to_string(s.page_size) + "}\n";
}

}  // namespace potstill::tools
