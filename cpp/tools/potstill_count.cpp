// potstill-count: forward passes between the markers of toolchains/cycles/qemu_count.c, for the cost model.
//
//   potstill-count MODEL.still TOKENS...
//
// For each count of tokens: one warm-up call, then one marked call on the same random ids, one thread.
#include <sys/resource.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <vector>

#include "potstill/model.hpp"

namespace {

constexpr int kOpen = 0x57110001, kClose = 0x57110000;

// Refused by the kernel; the counting plugin sees it. The label names the window.
void marker(int which, unsigned label) { (void)getpriority(static_cast<__priority_which_t>(which), label); }

void count(const potstill::Model& model, unsigned tokens) {
  const uint32_t vocabulary = model.info().vocabulary;
  std::vector<int32_t> ids(tokens);
  uint32_t state = 1;
  for (int32_t& id : ids) {
    state = state * 1664525U + 1013904223U;  // Numerical Recipes' generator: any fixed ids will do
    id = static_cast<int32_t>((state >> 8) % vocabulary);
  }
  const std::vector<std::size_t> offsets = {0, tokens};
  (void)model.run(ids, offsets);
  marker(kOpen, tokens);
  const potstill::Output out = model.run(ids, offsets);
  marker(kClose, tokens);
  std::printf("%u\t%s\t%.6f\n", tokens, model.info().isa.c_str(), out.logits.data.empty() ? 0.0 : out.logits.data[0]);
}

}  // namespace

int main(int arguments, char** argument) {
  if (arguments < 3) {
    std::fputs("usage: potstill-count MODEL.still TOKENS...\n", stderr);
    return 2;
  }
  try {
    const potstill::Model model = potstill::Model::load(argument[1], 1);
    for (int i = 2; i < arguments; ++i) count(model, static_cast<unsigned>(std::strtoul(argument[i], nullptr, 10)));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
