// JSON strings and the scores that potstill-run prints.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace potstill::tools {

// A quoted JSON string; bytes that are no UTF-8 become U+FFFD.
std::string quoted(std::string_view text);

// A finite number with 9 significant digits (enough to give a float32 back), else null.
std::string number(double value);

// Probabilities, computed in binary64 as the Python runtime does.
std::vector<double> softmax(std::span<const float> logits);

// Of each logit by itself, where labels do not exclude each other.
std::vector<double> sigmoid(std::span<const float> logits);

}  // namespace potstill::tools
