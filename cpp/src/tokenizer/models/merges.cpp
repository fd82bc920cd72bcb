#include "tokenizer/models/merges.h"

#include "tokenizer/slots.h"

namespace potstill::tokenizer {
namespace {

constexpr std::uint32_t kRowBits = 24;
constexpr std::uint32_t kRowMask = (1u << kRowBits) - 1;

}  // namespace

const char* Merges::problem(std::size_t pieces) const noexcept {
  if (rows.empty() && slots.empty()) return nullptr;
  if (rows.size() % 3 != 0 || rows.size() / 3 >= kRowMask) return "the merges are not 1 to 2^24 - 2 rows of three";
  for (const std::int32_t id : rows) {
    if (id < 0 || static_cast<std::size_t>(id) >= pieces) return "a merge names a piece that does not exist";
  }
  const std::size_t count = rows.size() / 3;
  return slots_problem(slots,
                       [count](std::int32_t slot) { return (static_cast<std::uint32_t>(slot) & kRowMask) < count; });
}

// Most pairs are no merge. The bits of the hash in a slot save all but 1 of 256 of these a look at the rows.
std::uint32_t Merges::find(std::int32_t left, std::int32_t right) const noexcept {
  if (slots.empty()) return kNone;
  const std::uint32_t state = hash(left, right);
  const std::size_t mask = slots.size() - 1;
  std::size_t at = state & mask;
  for (std::size_t probes = 0; probes <= kMaxProbeRun; ++probes, at = (at + 1) & mask) {
    const auto slot = static_cast<std::uint32_t>(slots[at]);
    if (slot == kNone) return kNone;
    if (((slot ^ state) >> kRowBits) != 0) continue;
    const std::size_t row = 3 * std::size_t{slot & kRowMask};
    if (row + 2 < rows.size() && rows[row] == left && rows[row + 1] == right) return slot & kRowMask;
  }
  return kNone;
}

}  // namespace potstill::tokenizer
