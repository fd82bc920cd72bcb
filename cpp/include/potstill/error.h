// The one exception type of the core. Codes are stable: a letter for the area, three digits, never reused.
#pragma once

#include <exception>
#include <string>
#include <utility>

#include "potstill/export.h"

namespace potstill {

// what() gives the line that users see: "error[CODE]: what; where; next step".
struct POTSTILL_API Error : std::exception {
  Error(std::string error_code, std::string happened, std::string place, std::string advice)
      : code(std::move(error_code)),
        what_happened(std::move(happened)),
        where(std::move(place)),
        next_step(std::move(advice)),
        line_("error[" + code + "]: " + what_happened + "; " + where + "; " + next_step) {}

  const char* what() const noexcept override { return line_.c_str(); }

  std::string code;           // "F013"
  std::string what_happened;  // one clause
  std::string where;          // the file, tensor, op or text it concerns
  std::string next_step;      // what the user can do now

 private:
  std::string line_;
};

}  // namespace potstill
