// JSON strings and numbers that potstill-run prints.
#pragma once

#include <string>
#include <string_view>

namespace potstill::tools {

// A quoted JSON string; bytes that are no UTF-8 become U+FFFD.
std::string quoted(std::string_view text);

// A finite number with 9 significant digits (enough to give a float32 back), else null.
std::string number(double value);

}  // namespace potstill::tools
