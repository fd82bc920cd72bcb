// Label and logits of each text: classify MODEL.still TEXT...
#include <potstill/model.hpp>

#include <algorithm>
#include <cstdio>
#include <string_view>
#include <vector>

int main(int count, char** arguments) {
  if (count < 3) {
    std::fprintf(stderr, "usage: classify MODEL.still TEXT...\n");
    return 2;
  }
  try {
    const potstill::Model model = potstill::Model::load(arguments[1]);
    const std::vector<std::string_view> texts(arguments + 2, arguments + count);
    const potstill::Matrix logits = model.run(model.tokenize(texts)).logits;  // one row a text
    for (std::size_t row = 0; row < logits.rows; ++row) {
      const float* values = logits.data.data() + row * logits.columns;
      const auto best = std::max_element(values, values + logits.columns) - values;
      std::printf("%s", model.info().labels.at(static_cast<std::size_t>(best)).c_str());
      for (std::size_t i = 0; i < logits.columns; ++i) std::printf("\t%.9g", static_cast<double>(values[i]));
      std::printf("\n");
    }
  } catch (const std::exception& error) {  // potstill::Error: "error[CODE]: what; where; next step"
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
