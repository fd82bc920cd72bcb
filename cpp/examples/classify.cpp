// Labels texts with a compiled model: classify MODEL.still TEXT...
#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "potstill/model.hpp"

int main(int count, char** words) {
  if (count < 3) {
    std::fputs("usage: classify MODEL.still TEXT...\n", stderr);
    return 2;
  }
  try {
    const potstill::Model model = potstill::Model::load(words[1]);
    const std::vector<std::string_view> texts(words + 2, words + count);
    const potstill::Matrix logits = model.run(model.tokenize(texts)).logits;
    for (std::size_t row = 0; row < logits.rows; ++row) {
      const auto first = logits.data.begin() + static_cast<std::ptrdiff_t>(row * logits.columns);
      const auto best = std::max_element(first, first + static_cast<std::ptrdiff_t>(logits.columns));
      const std::string& label = model.info().labels.at(static_cast<std::size_t>(best - first));
      std::printf("%s\t%.6f\t%s\n", label.c_str(), static_cast<double>(*best), words[row + 2]);
    }
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
