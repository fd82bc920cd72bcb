#include "tools/profile_table.h"

#include <cstdint>
#include <cstdio>

namespace potstill::tools {

std::string profile_table(const Profile& profile) {
  int64_t total = 0;
  for (const ProfileOp& op : profile.ops) total += op.wall;
  std::string table = "op\tkind\tms\tshare\tMMAC\tKB\tof peak\n";
  for (const ProfileOp& op : profile.ops) {
    char numbers[160];
    std::snprintf(numbers, sizeof numbers, "\t%.4f\t%.1f%%\t%.2f\t%.0f\t", static_cast<double>(op.wall) / 1e6,
                  total > 0 ? 100.0 * static_cast<double>(op.wall) / static_cast<double>(total) : 0.0,
                  static_cast<double>(op.macs) / 1e6, static_cast<double>(op.bytes) / 1e3);
    table += op.name + '\t' + op.kind + numbers;
    const double peak = op.integer ? profile.peak_int8 : profile.peak_f32;
    if (op.macs > 0 && op.busy > 0 && peak > 0) {
      std::snprintf(numbers, sizeof numbers, "%.0f%%",
                    100.0 * static_cast<double>(op.macs) * 1e9 / (static_cast<double>(op.busy) * peak));
      table += numbers;
    } else {
      table += '-';
    }
    table += '\n';
  }
  return table;
}

}  // namespace potstill::tools
