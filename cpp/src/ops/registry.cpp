// Which factory makes which op.
#include <algorithm>
#include <array>

#include "ops/op.h"

namespace potstill::ops {
namespace {

struct Entry {
  fb::OpBody body;
  Factory make;
};

constexpr std::array kOps{
#define POTSTILL_OP(table, factory) Entry{fb::OpBody::table, factory},
#include "ops/ops.def"
};

}  // namespace

std::unique_ptr<Op> make(const Load& load) {
  const auto found =
      std::find_if(kOps.begin(), kOps.end(), [&](const Entry& entry) { return entry.body == load.op().body_type(); });
  if (found == kOps.end() || load.op().body() == nullptr) load.fail("F027", "its kind is unknown to this potstill");
  std::unique_ptr<Op> op = found->make(load);
  if (load.inputs() > 0) op->inputs.assign(load.op().inputs()->begin(), load.op().inputs()->end());
  op->output = load.op().output();
  op->name = load.op().name()->str();
  return op;
}

}  // namespace potstill::ops
