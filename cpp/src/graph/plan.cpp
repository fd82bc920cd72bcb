#include "graph/plan.h"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <string>

#include "format/fail.h"

namespace potstill::graph {
namespace {

// Far above any model this core is for, and inside a 32-bit address space.
constexpr std::size_t kMaxArena = std::size_t{2} << 30;

struct Life {
  std::size_t first = SIZE_MAX;
  std::size_t last = 0;
};

struct FormLife {
  bool used = false;
  Life life;  // from the op that makes it
};

// By ops::form_index.
std::vector<FormLife> form_lives(std::size_t values, std::span<const std::unique_ptr<ops::Op>> ops) {
  std::vector<FormLife> forms(2 * values);
  std::vector<std::size_t> producer(values, SIZE_MAX);
  for (std::size_t i = 0; i < ops.size(); ++i) {
    for (std::size_t j = 0; j < ops[i]->inputs.size(); ++j) {
      const fb::InputQuant kind = ops[i]->wants(j);
      if (kind == fb::InputQuant::None) continue;
      const uint32_t value = ops[i]->inputs[j];
      FormLife& form = forms[ops::form_index(value, kind)];
      if (!form.used) {
        const bool given = kind == fb::InputQuant::Symmetric && ops[producer[value]]->gives_symmetric();
        form = {true, {given ? producer[value] : i, i}};
      }
      form.life.last = i;
    }
    producer[ops[i]->output] = i;
  }
  return forms;
}

}  // namespace

std::vector<std::size_t> place(std::span<const Interval> buffers, std::size_t limit, std::size_t& total) {
  std::vector<std::size_t> order(buffers.size()), offsets(buffers.size(), 0);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return buffers[a].bytes > buffers[b].bytes; });
  std::vector<std::size_t> placed;  // sorted by offset
  // What is placed ends below `limit`, which is far from the end of the address space.
  const auto end_of = [&](std::size_t index) {
    return static_cast<std::size_t>(kernels::round_up(offsets[index] + buffers[index].bytes, 64));
  };
  total = 0;
  for (const std::size_t index : order) {
    const Interval& buffer = buffers[index];
    std::size_t at = 0;
    for (const std::size_t other : placed) {
      const bool overlaps = buffers[other].first <= buffer.last && buffer.first <= buffers[other].last;
      if (!overlaps) continue;
      if (offsets[other] >= at && offsets[other] - at >= buffer.bytes) break;  // the gap before `other` fits
      at = std::max(at, end_of(other));
    }
    if (buffer.bytes > limit || at > limit - buffer.bytes) {
      format::fail("F045", "it would need more than " + std::to_string(limit >> 20) + " MiB of working memory", "graph",
                   "use a smaller max_tokens or a smaller model");
    }
    offsets[index] = at;
    total = std::max(total, end_of(index));
    placed.insert(std::upper_bound(placed.begin(), placed.end(), at,
                                   [&](std::size_t offset, std::size_t other) { return offset < offsets[other]; }),
                  index);
  }
  return offsets;
}

Plan plan(std::span<const ops::Shape> values, std::span<const std::unique_ptr<ops::Op>> ops, std::span<const int> kept,
          const ops::Sizes& sizes) {
  std::vector<Life> lives(values.size());
  for (std::size_t i = 0; i < ops.size(); ++i) {
    Life& made = lives[ops[i]->output];
    made.first = i;
    made.last = std::max(made.last, i);
    for (const uint32_t input : ops[i]->inputs) lives[input].last = std::max(lives[input].last, i);
  }
  for (const int value : kept) {
    if (value >= 0) lives[static_cast<std::size_t>(value)].last = ops.size();
  }

  // owner[v]: the value whose memory v uses.
  std::vector<std::size_t> owner(values.size());
  std::iota(owner.begin(), owner.end(), std::size_t{0});
  for (std::size_t i = 0; i < ops.size(); ++i) {
    if (ops[i]->in_place() < 0) continue;
    const uint32_t input = ops[i]->inputs[static_cast<std::size_t>(ops[i]->in_place())], output = ops[i]->output;
    const bool once = std::count(ops[i]->inputs.begin(), ops[i]->inputs.end(), input) == 1;
    if (!once || lives[input].last != i) continue;
    owner[output] = owner[input];
    lives[owner[input]].last = std::max(lives[owner[input]].last, lives[output].last);
  }

  const auto rows = [&](std::size_t v) { return values[v].rows == fb::Rows::Tokens ? sizes.tokens : sizes.sequences; };
  std::vector<Interval> buffers;
  std::vector<std::size_t> buffer_of(values.size(), 0);
  for (std::size_t v = 0; v < values.size(); ++v) {
    if (owner[v] != v) continue;
    buffer_of[v] = buffers.size();
    buffers.push_back({uint64_t{rows(v)} * values[v].width * sizeof(float), lives[v].first, lives[v].last});
  }
  const std::size_t first_form = buffers.size();
  const std::vector<FormLife> forms = form_lives(values.size(), ops);
  for (std::size_t i = 0; i < forms.size(); ++i) {
    if (!forms[i].used) continue;
    const std::size_t v = i / 2;
    buffers.push_back({ops::Quantized::bytes(rows(v), values[v].width), forms[i].life.first, forms[i].life.last});
  }
  const std::size_t first_scratch = buffers.size();
  for (std::size_t i = 0; i < ops.size(); ++i) buffers.push_back({ops[i]->scratch_bytes(sizes), i, i});

  Plan plan;
  const std::vector<std::size_t> offsets = place(buffers, kMaxArena, plan.bytes);
  for (std::size_t v = 0; v < values.size(); ++v) plan.values.push_back(offsets[buffer_of[owner[v]]]);
  std::size_t next = first_form;
  for (const FormLife& form : forms) {
    plan.forms.push_back({form.used, static_cast<uint32_t>(form.life.first), form.used ? offsets[next++] : 0});
  }
  plan.scratch.assign(offsets.begin() + static_cast<std::ptrdiff_t>(first_scratch), offsets.end());
  return plan;
}

}  // namespace potstill::graph
