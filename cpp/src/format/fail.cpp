#include "format/fail.h"

#include <utility>

#include "potstill/error.h"

namespace potstill::format {

void fail(const char* code, std::string what, std::string where, const char* next_step) {
  throw Error(code, std::move(what), std::move(where), next_step);
}

std::string printable(std::string_view name) {
  std::string out(name.substr(0, 80));
  for (char& c : out) {
    if (c < 0x20 || c > 0x7e) c = '?';
  }
  return out;
}

}  // namespace potstill::format
