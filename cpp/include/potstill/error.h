// The one exception type of the core. Codes are stable: a letter for the area, three digits, never reused.
#pragma once

#include <cstddef>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <utility>

#include "potstill/export.h"

namespace potstill {

// Text with what a terminal would obey (control characters, reversed writing) as escapes, as Python's side does it;
// `kept` is left as it is. Names of files, tensors and labels come from others.
inline std::string printable(std::string_view text, char kept = '\0') {
  std::string out;
  char escape[16];
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto at = [&](std::size_t k) { return i + k < text.size() ? static_cast<unsigned char>(text[i + k]) : 0U; };
    const unsigned byte = at(0), second = at(1), third = at(2);
    unsigned code = 0;  // what is escaped
    std::size_t more = 0;
    if ((byte < 0x20 || byte == 0x7f) && (kept == '\0' || text[i] != kept)) {
      std::snprintf(escape, sizeof escape, "\\x%02x", byte);
      out += byte == '\n' ? "\\n" : byte == '\t' ? "\\t" : byte == '\r' ? "\\r" : escape;
      continue;
    }
    if (byte == 0xc2 && second >= 0x80 && second < 0xa0) {  // U+0080 to U+009F: controls of one byte elsewhere
      code = second;
      more = 1;
    } else if (byte == 0xe2 && (second == 0x80 || second == 0x81) && third >= 0x80 && third < 0xc0) {
      code = 0x2000 + ((second & 1U) << 6) + (third & 0x3fU);
      const bool hidden = (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) || code >= 0x2060;
      if (hidden) more = 2;
    }
    if (more == 0) {
      out += text[i];
      continue;
    }
    std::snprintf(escape, sizeof escape, more == 1 ? "\\x%02x" : "\\u%04x", code);
    out += escape;
    i += more;
  }
  return out;
}

// what() gives the line that users see: "error[CODE]: what; where; next step".
struct POTSTILL_API Error : std::exception {
  Error(std::string error_code, std::string happened, std::string place, std::string advice)
      : code(std::move(error_code)),
        what_happened(std::move(happened)),
        where(std::move(place)),
        next_step(std::move(advice)),
        line_("error[" + code + "]: " + printable(what_happened) + "; " + printable(where) + "; " +
              printable(next_step, '\n')) {}

  const char* what() const noexcept override { return line_.c_str(); }

  std::string code;           // "F013"
  std::string what_happened;  // one clause
  std::string where;          // the file, tensor, op or text it concerns
  std::string next_step;      // what the user can do now

 private:
  std::string line_;
};

}  // namespace potstill
