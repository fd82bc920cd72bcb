// The profile that potstill-run prints.
#pragma once

#include <string>

#include "potstill/profile.hpp"

namespace potstill::tools {

// Lines of tab-separated columns, a header first: op, kind, milliseconds, share of the forward, millions of
// multiply-adds, thousands of bytes, share of one core's peak while computing ("-" without products).
std::string profile_table(const Profile& profile);

}  // namespace potstill::tools
