// Strict UTF-8 (no overlong forms, no surrogates, at most U+10FFFF), for texts that are handed to Python.
#pragma once

#include <string_view>

namespace potstill::format {

bool valid_utf8(std::string_view text) noexcept;

}  // namespace potstill::format
