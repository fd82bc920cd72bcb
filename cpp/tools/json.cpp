#include "tools/json.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "format/utf8.h"

namespace potstill::tools {

std::string quoted(std::string_view text) {
  const bool valid = format::valid_utf8(text);
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", byte);
      out += escape;
    } else if (byte >= 0x80 && !valid) {
      out += "\\ufffd";
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string number(double value) {
  if (!std::isfinite(value)) return "null";
  char text[40];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

std::vector<double> softmax(std::span<const float> logits) {
  std::vector<double> out(logits.begin(), logits.end());
  if (out.empty()) return out;
  const double top = *std::max_element(out.begin(), out.end());
  double total = 0;
  for (double& value : out) total += value = std::exp(value - top);
  for (double& value : out) value /= total;
  return out;
}

std::vector<double> sigmoid(std::span<const float> logits) {
  std::vector<double> out(logits.begin(), logits.end());
  for (double& value : out) {
    // The form whose exp cannot overflow.
    const double small = std::exp(value >= 0 ? -value : value);
    value = (value >= 0 ? 1 : small) / (1 + small);
  }
  return out;
}

}  // namespace potstill::tools
