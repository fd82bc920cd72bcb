#include "tokenizer/normalizers/precompiled.h"

#include <cstddef>
#include <optional>
#include <span>

#include "tokenizer/graphemes.h"
#include "tokenizer/load.h"
#include "tokenizer/utf8.h"

namespace potstill::tokenizer {
namespace {

constexpr std::size_t kMaxCluster = 5;  // bytes; longer ones are looked up character by character

}  // namespace

// Origins are as odd as those of `tokenizers`: characters are replaced one by one as far as there are new ones; what is
// left of the old ones then counts as dropped behind the last character written, whichever that is, so it stays to be
// replaced where there is none.
class Precompiled::Pass {
 public:
  explicit Pass(Text& text) : out_(text) {}

  ~Pass() { write_last(); }

  Pass(const Pass&) = delete;
  Pass& operator=(const Pass&) = delete;

  // Writes old characters as they are: bytes [begin, end) of the old text, `begin` being where the last ones ended.
  void keep(std::string_view text, std::size_t begin, std::size_t end) {
    if (begin == end) return;
    std::size_t last = end - 1;
    while (!utf8::begins(text[last])) --last;
    write_last();
    if (out_.at() == begin) {
      out_.keep(last);
    } else {
      while (begin < last) out_.put(utf8::next(text, begin));
    }
    last_ = Last{utf8::next(text, last), 0};
  }

  void replace(std::string_view old, std::string_view by) {
    int left = static_cast<int>(utf8::characters(old));
    for (std::size_t at = 0; at < by.size();) {
      write_last();
      last_ = Last{utf8::next(by, at), left > 0 ? 0 : 1};
      --left;
    }
    if (left > 0 && last_) last_->change -= left;
  }

 private:
  struct Last {
    char32_t point;
    int change;
  };

  void write_last() {
    if (last_) out_.put(last_->point, last_->change);
    last_.reset();
  }

  Rewrite out_;
  std::optional<Last> last_;  // not yet written
};

std::unique_ptr<const Normalizer> Precompiled::make(const Load& load, const fb::Normalizer& header) {
  const format::Tensor& table = load.table(header.body_as_Precompiled()->map_t(), "map of characters", fb::DType::U8);
  const std::span<const std::uint8_t> map(table.as<std::uint8_t>(), table.shape[0]);
  load.refuse(Charsmap::problem(map));
  return std::make_unique<Precompiled>(Charsmap(map));
}

Precompiled::Precompiled(const Charsmap& map) : map_(map) {
  for (std::size_t byte = 0; byte < 128; ++byte) {
    const auto c = static_cast<char>(byte);
    plain_[byte] = c != '\r' && c != '\n' && !map_.find({&c, 1});
  }
}

std::size_t Precompiled::plain_end(std::string_view text, std::size_t at) const noexcept {
  const std::size_t begin = at;
  const auto is_plain = [&](unsigned char byte) { return byte < 128 && plain_[byte]; };
  while (at < text.size() && is_plain(static_cast<unsigned char>(text[at]))) ++at;
  // What is not ASCII may be of one cluster with the character before it.
  return at > begin && at < text.size() && static_cast<unsigned char>(text[at]) >= 128 ? at - 1 : at;
}

void Precompiled::apply(Text& text) const {
  const std::string_view bytes = text.bytes;
  Pass out(text);
  std::size_t kept = 0;  // from here on nothing has been replaced
  const auto replace = [&](std::size_t begin, std::size_t end) {
    const std::optional<std::string_view> found = map_.find(bytes.substr(begin, end - begin));
    if (!found) return false;
    out.keep(bytes, kept, begin);
    out.replace(bytes.substr(begin, end - begin), *found);
    kept = end;
    return true;
  };
  for (std::size_t at = plain_end(bytes, 0); at < bytes.size(); at = plain_end(bytes, at)) {
    const std::size_t end = cluster_end(bytes, at);
    const bool done = end - at <= kMaxCluster && replace(at, end);
    for (const std::size_t cluster = at; at < end;) {
      const std::size_t begin = at;
      utf8::next(bytes, at);
      const bool alone = begin == cluster && at == end;  // then it has been looked up
      if (!done && !alone) replace(begin, at);
    }
  }
  out.keep(bytes, kept, bytes.size());
}

}  // namespace potstill::tokenizer
