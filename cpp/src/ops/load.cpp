#include <algorithm>

#include "format/fail.h"
#include "ops/op.h"

namespace potstill::ops {

void Load::fail(const char* code, std::string what) const {
  format::fail(code, std::move(what), file_.where + ": op '" + format::printable(op_.name()->string_view()) + "'");
}

void Load::expect_inputs(std::size_t least, std::size_t most) const {
  if (inputs() < least || inputs() > most) {
    fail("F023", "it has " + std::to_string(inputs()) + " inputs, not " + std::to_string(least) +
                     (most > least ? " or " + std::to_string(most) : ""));
  }
}

void Load::expect_rows(const Shape& value, fb::Rows rows, const char* which) const {
  if (value.rows != rows) {
    fail("F030", std::string("its ") + which + " has one row a " +
                     (value.rows == fb::Rows::Tokens ? "token, not one a sequence" : "sequence, not one a token"));
  }
}

void Load::expect_width(uint64_t found, uint64_t wanted, const char* which) const {
  if (found != wanted) {
    fail("F030", std::string("its ") + which + " is " + std::to_string(found) + " wide, not " + std::to_string(wanted));
  }
}

const format::Tensor& Load::any_tensor(int32_t index, const char* field) const {
  if (index < 0 || static_cast<std::size_t>(index) >= file_.tensors.size()) {
    fail("F028", std::string("its tensor ") + field + " is " + (index == -1 ? "absent" : "not in the file"));
  }
  return file_.tensors[static_cast<std::size_t>(index)];
}

const format::Tensor& Load::tensor(int32_t index, const char* field, fb::DType dtype, fb::Layout layout,
                                   std::initializer_list<uint64_t> shape) const {
  const format::Tensor& tensor = any_tensor(index, field);
  if (tensor.dtype != dtype || tensor.layout != layout) {
    fail("F029", std::string("its tensor ") + field + " ('" + format::printable(tensor.name) +
                     "') has another dtype or layout");
  }
  const auto fits = [](uint32_t found, uint64_t wanted) { return wanted == 0 || found == wanted; };
  if (!std::equal(tensor.shape.begin(), tensor.shape.end(), shape.begin(), shape.end(), fits)) {
    std::string wanted, found;
    for (const uint64_t dim : shape) {
      wanted += (wanted.empty() ? "" : ", ") + (dim == 0 ? std::string("any") : std::to_string(dim));
    }
    for (const uint32_t dim : tensor.shape) found += (found.empty() ? "" : ", ") + std::to_string(dim);
    fail("F030", std::string("its tensor ") + field + " ('" + format::printable(tensor.name) + "') is [" + found +
                     "], not [" + wanted + "]");
  }
  return tensor;
}

bool Load::first_sums(int32_t weight, int32_t colsum) const {
  int32_t& known = sums_[static_cast<std::size_t>(weight)];
  if (known == colsum) return false;
  if (known != -1) fail("F047", "its weights have other sums in another op");
  known = colsum;
  file_.budget.step(file_.tensors[static_cast<std::size_t>(weight)].data.size(), file_.where);
  return true;
}

}  // namespace potstill::ops
