// What an op is: made and checked once at load, then run many times, from several threads at once.
//
// To add one: its table in still.fbs, a file here with a factory, its row in ops.def.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "format/reader.h"
#include "kernels/kernels.h"
#include "parallel/team.h"

namespace potstill::ops {

struct Shape {
  fb::Rows rows;
  uint32_t width;  // f32 columns
};

// The largest run an arena is planned for.
struct Sizes {
  std::size_t tokens;      // rows of a token value
  std::size_t sequences;   // rows of a sequence value
  std::size_t max_tokens;  // longest sequence
  int threads;
};

// Rows of a value in a chunk with these offsets.
inline uint64_t rows(fb::Rows kind, std::span<const uint32_t> offsets) {
  return kind == fb::Rows::Tokens ? offsets.back() : offsets.size() - 1;
}

// What an op costs for some input: for choosing threads and for the profile.
struct Cost {
  uint64_t macs = 0;     // multiply-adds of matrix products; element-wise arithmetic counts as none
  uint64_t bytes = 0;    // weights and activations read and written, each once
  bool integer = false;  // int8 products; f32 ones are 1 to 4 times slower

  uint64_t work() const { return integer ? macs : 2 * macs; }
};

// What the predicted time of an op depends on beside its rows and width; 0 where its kind has no such number.
struct Facts {
  uint64_t inputs = 0;  // columns of a row that enters a product, rows of a table
  uint64_t heads = 0;
  fb::DType weights = fb::DType::F32;
  bool activation = false;  // follows the product
};

// The quantized form of a value, an optional second copy of it: int8 rows with a scale each, and a zero point each when
// asymmetric. The plan gives one to every value that a Linear wants quantized, and one of two makers: the op that makes
// the value, if it can do so on the way, else the first op that wants it. All later ones share it.
struct Quantized {
  std::byte* memory = nullptr;  // null: no op wants this form
  uint32_t maker = 0;           // index of the op that fills it
  std::size_t rows = 0;         // room
  std::size_t ld = 0;           // columns, a multiple of 32; zero from the value's width on

  static constexpr std::size_t leading(std::size_t width) { return kernels::round_up(width, 32); }
  static constexpr uint64_t bytes(uint64_t rows, std::size_t width) {
    return 2 * ((rows * 4 + 63) / 64 * 64) + rows * leading(width);
  }
  float* scale() const { return reinterpret_cast<float*>(memory); }
  int32_t* zero() const { return reinterpret_cast<int32_t*>(memory + kernels::round_up(rows * 4, 64)); }
  int8_t* q() const { return reinterpret_cast<int8_t*>(memory + 2 * kernels::round_up(rows * 4, 64)); }
};

// Where a value's form is in a table of both of each value.
constexpr std::size_t form_index(std::size_t value, fb::InputQuant kind) {
  return 2 * value + (kind == fb::InputQuant::Asymmetric ? 1 : 0);
}

// One chunk: `sequences` ragged sequences, concatenated; seen by one of the threads that run it.
struct Run {
  const kernels::KernelTable& kernels;
  parallel::Team& team;
  std::span<const int32_t> ids;        // [tokens], checked against the vocabulary
  std::span<const int32_t> types;      // [tokens], checked against the table of token types; empty: all 0
  std::span<const int32_t> positions;  // [tokens], 0 at each sequence's start
  std::span<const uint32_t> offsets;   // [sequences + 1]: sequence s is tokens [offsets[s], offsets[s + 1])
  std::span<float* const> values;      // by value index; row-major, leading dimension = width
  std::span<const Quantized> forms;    // by form_index
  uint32_t op;                         // index of the op that is run
  std::byte* scratch;                  // this op's scratch_bytes, 64-byte aligned

  std::size_t rows(fb::Rows kind) const { return static_cast<std::size_t>(ops::rows(kind, offsets)); }
};

class Op {
 public:
  virtual ~Op() = default;

  // Called by every thread of run.team; all work goes through run.team, in at most parallel::kPhasesAnOp phases.
  virtual void run(const Run& run) const = 0;
  virtual const char* kind() const = 0;
  virtual Cost cost(std::span<const uint32_t> offsets) const = 0;  // offsets as in Run
  virtual Facts facts() const { return {}; }
  virtual uint64_t scratch_bytes(const Sizes&) const { return 0; }

  // How it wants input i quantized, if at all; it then finds the form in Run::forms.
  virtual fb::InputQuant wants(std::size_t) const { return fb::InputQuant::None; }

  // An activation that may be left to the one op that quantizes the output: what it would be (None: nothing to leave),
  // leave it, and take it over for input 0.
  virtual kernels::Activation may_leave() const { return kernels::Activation::None; }
  virtual void leave_activation() {}
  virtual void take_activation(kernels::Activation) {}

  // True if run() also writes the symmetric form of its output when Run::forms names this op as its maker.
  virtual bool gives_symmetric() const { return false; }

  // Position in `inputs` of the value whose memory the output may take over, or -1.
  virtual int in_place() const { return -1; }

  std::vector<uint32_t> inputs;  // value indices
  uint32_t output = 0;
  std::string name;         // as the file says
  uint64_t parameters = 0;  // learned numbers
};

// For each tensor the one with its sums, -1: not known yet.
using Sums = std::vector<int32_t>;

// Everything a factory sees; all its checks throw Error with the op's name as the place.
class Load {
 public:
  Load(format::File& file, std::span<const Shape> values, const fb::Op& op, Sums& sums)
      : file_(file), values_(values), op_(op), sums_(sums) {}

  const fb::Op& op() const { return op_; }
  const format::File& file() const { return file_; }
  const Shape& input(std::size_t i) const { return values_[op_.inputs()->Get(static_cast<uint32_t>(i))]; }
  std::size_t inputs() const { return op_.inputs() == nullptr ? 0 : op_.inputs()->size(); }
  const Shape& output() const { return values_[op_.output()]; }

  // F023 unless the number of inputs is in [least, most].
  void expect_inputs(std::size_t least, std::size_t most) const;

  // F030 unless both have the same kind of rows.
  void expect_rows(const Shape& value, fb::Rows rows, const char* which) const;
  void expect_width(uint64_t found, uint64_t wanted, const char* which) const;

  // The tensor at `index`: F028 absent or out of range, F029 another dtype or layout, F030 another shape
  // (0 in `shape` = any).
  const format::Tensor& tensor(int32_t index, const char* field, fb::DType dtype, fb::Layout layout,
                               std::initializer_list<uint64_t> shape) const;
  const format::Tensor& any_tensor(int32_t index, const char* field) const;

  // True when the weights at `weight` have not been summed yet, and `colsum` is to be compared with their sums; false
  // when it has been. F047 when they were compared with other sums: each matrix is read once, however many ops share
  // it.
  bool first_sums(int32_t weight, int32_t colsum) const;

  [[noreturn]] void fail(const char* code, std::string what) const;

 private:
  format::File& file_;
  std::span<const Shape> values_;
  const fb::Op& op_;
  Sums& sums_;
};

using Factory = std::unique_ptr<Op> (*)(const Load&);

#define POTSTILL_OP(table, factory) std::unique_ptr<Op> factory(const Load& load);
#include "ops/ops.def"

// The op of a header entry whose value indices are already checked. Throws Error F023, F027..F034, F047.
std::unique_ptr<Op> make(const Load& load);

}  // namespace potstill::ops
