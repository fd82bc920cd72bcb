// How the format code reports: an Error with place "file: item" where names from the file are made printable first.
#pragma once

#include <string>
#include <string_view>

namespace potstill::format {

inline constexpr const char* kCopyAgain = "copy or download the file again, or compile it again with potstill compile";
inline constexpr const char* kUpdate =
    "install a newer potstill, or compile the model with the version that is installed";
inline constexpr const char* kCompileAgain = "the file was not written by potstill compile; compile the model again";

// Throws Error.
[[noreturn]] void fail(const char* code, std::string what, std::string where, const char* next_step = kCompileAgain);

// At most 80 bytes; everything but printable ASCII becomes '?'. For names that come from an untrusted file.
std::string printable(std::string_view name);

}  // namespace potstill::format
