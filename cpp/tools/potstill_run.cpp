// potstill-run: classify text with a `.still` file, for boards without Python.
#include <algorithm>
#include <bit>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <iostream>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "potstill/model.hpp"
#include "potstill/potstill.h"
#include "tools/json.h"
#include "tools/profile_table.h"
#include "tools/system.h"

namespace {

constexpr const char* kHelp = R"(usage: potstill-run MODEL.still [options] TEXT... | -
       potstill-run --system [--json] | --version | --help

Classifies each TEXT (or each line of standard input for "-") and prints "label <tab> score", one line a text.
Of a model that gives a text any number of labels, the line has all with a score of at least 0.5, "-" for none.

Of a model with one output (regression, reranker), the line has its score.

A model of pairs of texts takes both in one TEXT or line, a tab between them.
A model that labels words, or characters, prints "word <tab> label <tab> score" a line and an empty line after each
text; JSON also tells where each word starts and ends in its text, in characters.

Line n of the output answers line n of standard input, as soon as it is read. An empty line has an empty answer (in
JSON: null), and so has one that is too long or no pair (in JSON: its error); the reason goes to standard error, and
the exit code is 1 in the end.

options:
  --json         one JSON object a line: text, label, score, scores (and labels, where a text may have several)
  --truncate     cut texts that are too long instead of reporting an error
  --ids          each TEXT is a list of token ids, specials included: "101 2023 102"; of a pair, a tab stands before the
                 ids of the second text
  --tokens       print the token ids of each text instead of classifying it
  --logits-hex   print the logits as the hexadecimal bits of float32, to compare machines bit by bit
  --embed-hex    print the pooled vector in the same way
  --profile      run each TEXT 30 times and print what each op took, tab-separated, instead of classifying it
  --mapped       use the model file where it is, instead of reading it: for a file that nobody changes in place
  --threads N    worker threads (default: POTSTILL_NUM_THREADS, else the CPUs this process may use)
  --info         print what the file says about itself, as JSON, and end
  --system       print what was found on this machine (kernel set, CPU features, threads, page size), and end
  --version      print the version, and end
  --help         print this text

environment: POTSTILL_ISA forces a kernel set: reference, or another that --system lists.
exit codes: 0 done, 1 the file or the machine failed, 2 usage or bad input.

examples:
  potstill-run model.still "turn the light on" "what a film"
  potstill-run model.still --json - < sentences.txt
  POTSTILL_ISA=reference potstill-run model.still --logits-hex "turn the light on"
)";

enum class Print { Label, Json, Tokens, LogitsHex, EmbedHex, Profile };

struct Options {
  std::string model;
  std::vector<std::string> texts;
  Print print = Print::Label;
  bool truncate = false, ids = false, info = false, help = false, system = false, version = false, mapped = false;
  int threads = 0;
};

[[noreturn]] void usage(const std::string& what, const std::string& where) {
  throw potstill::Error("I011", what, where, "see potstill-run --help");
}

template <typename Number>
bool whole_number(std::string_view text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

Options parse(int count, char** arguments) {
  Options options;
  bool only_texts = false;
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    if (only_texts || argument == "-" || argument.rfind("--", 0) != 0) {
      if (options.model.empty()) {
        options.model = argument;
      } else {
        options.texts.push_back(argument);
      }
    } else if (argument == "--") {
      only_texts = true;
    } else if (argument == "--json") {
      options.print = Print::Json;
    } else if (argument == "--tokens") {
      options.print = Print::Tokens;
    } else if (argument == "--logits-hex") {
      options.print = Print::LogitsHex;
    } else if (argument == "--embed-hex") {
      options.print = Print::EmbedHex;
    } else if (argument == "--profile") {
      options.print = Print::Profile;
    } else if (argument == "--mapped") {
      options.mapped = true;
    } else if (argument == "--truncate") {
      options.truncate = true;
    } else if (argument == "--ids") {
      options.ids = true;
    } else if (argument == "--info") {
      options.info = true;
    } else if (argument == "--system") {
      options.system = true;
    } else if (argument == "--version") {
      options.version = true;
    } else if (argument == "--help") {
      options.help = true;
    } else if (argument == "--threads") {
      if (++i == count || !whole_number(std::string_view(arguments[i]), options.threads) || options.threads < 1) {
        usage("a thread count of 1 or more is needed", "--threads");
      }
    } else {
      usage("there is no such option", argument);
    }
  }
  if (options.help || options.system || options.version) return options;
  if (options.model.empty()) usage("no model file is given", "command line");
  if (options.texts.empty() && !options.info) usage("no text is given", "command line");
  return options;
}

// Two texts in one: what stands before the first tab, and after it.
std::pair<std::string_view, std::string_view> split_pair(std::string_view text) {
  const std::size_t tab = text.find('\t');
  if (tab == std::string_view::npos) {
    throw potstill::Error("I015", "a single text for a model of pairs", "'" + std::string(text.substr(0, 40)) + "'",
                          "give both texts with a tab between them");
  }
  return {text.substr(0, tab), text.substr(tab + 1)};
}

std::vector<int32_t> parse_ids(std::string_view text) {
  std::vector<int32_t> ids;
  while (true) {
    const std::size_t begin = text.find_first_not_of(" ,\t");
    if (begin == std::string_view::npos) return ids;
    text.remove_prefix(begin);
    const std::size_t size = std::min(text.find_first_of(" ,\t"), text.size());
    int32_t id = 0;
    if (!whole_number(text.substr(0, size), id)) {
      throw potstill::Error("I003", "'" + std::string(text.substr(0, size)) + "' is no token id", "--ids",
                            "give whole numbers separated by spaces");
    }
    ids.push_back(id);
    text.remove_prefix(size);
  }
}

// `count` rows in one line.
void print_hex(const potstill::Matrix& matrix, std::size_t row, std::size_t count = 1) {
  for (std::size_t i = 0; i < count * matrix.columns; ++i) {
    std::printf("%s%08x", i > 0 ? " " : "", std::bit_cast<uint32_t>(matrix.data[row * matrix.columns + i]));
  }
  std::printf("\n");
}

std::string label(const potstill::Info& info, std::size_t index) {
  return index < info.labels.size() ? info.labels[index] : std::to_string(index);
}

void print_score(double score, const std::string& text, bool json) {
  if (json) {
    std::printf("{\"text\": %s, \"score\": %s}\n", potstill::tools::quoted(text).c_str(),
                potstill::tools::number(score).c_str());
  } else {
    std::printf("%.4f\n", score);
  }
}

void print_prediction(const potstill::Info& info, std::span<const double> scores, const std::string& text, bool json) {
  const auto top = static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
  std::vector<std::size_t> given;  // labels of the text: one, or any number
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (info.multi_label ? scores[i] >= 0.5 : i == top) given.push_back(i);
  }
  if (!json) {
    for (std::size_t i = 0; i < given.size(); ++i) {
      std::printf("%s%s\t%.4f", i > 0 ? "\t" : "", label(info, given[i]).c_str(), scores[given[i]]);
    }
    std::printf(given.empty() ? "-\t%.4f\n" : "\n", scores[top]);
    return;
  }
  std::string line = "{\"text\": " + potstill::tools::quoted(text) +
                     ", \"label\": " + potstill::tools::quoted(label(info, top)) +
                     ", \"score\": " + potstill::tools::number(scores[top]) + ", \"scores\": {";
  for (std::size_t i = 0; i < scores.size(); ++i) {
    line += (i > 0 ? ", " : "") + potstill::tools::quoted(label(info, i)) + ": " + potstill::tools::number(scores[i]);
  }
  line += "}";
  if (info.multi_label) {
    line += ", \"labels\": [";
    for (std::size_t i = 0; i < given.size(); ++i) {
      line += (i > 0 ? ", " : "") + potstill::tools::quoted(label(info, given[i]));
    }
    line += "]";
  }
  std::printf("%s}\n", line.c_str());
}

// Label and score of each word of each text.
void tag(const potstill::Model& model, const Options& options, const std::vector<std::string>& texts) {
  using potstill::tools::quoted;
  const bool json = options.print == Print::Json;
  for (const std::string& text : texts) {
    std::string line;
    for (const potstill::TaggedWord& word : model.tag(text, options.truncate)) {
      const std::string name = label(model.info(), word.label);
      if (!json) {
        std::printf("%s\t%s\t%.4f\n", word.word.c_str(), name.c_str(), word.score);
        continue;
      }
      line += (line.empty() ? "" : ", ") + std::string("{\"word\": ") + quoted(word.word) +
              ", \"label\": " + quoted(name) + ", \"score\": " + potstill::tools::number(word.score) +
              ", \"start\": " + std::to_string(word.begin_character) +
              ", \"end\": " + std::to_string(word.end_character) + "}";
    }
    if (json) {
      std::printf("{\"text\": %s, \"tokens\": [%s]}\n", quoted(text).c_str(), line.c_str());
    } else {
      std::printf("\n");
    }
  }
}

void answer(const potstill::Model& model, const Options& options, const std::vector<std::string>& texts) {
  const bool labels = options.print == Print::Label || options.print == Print::Json;
  if (model.info().per_token && labels) {
    if (options.ids) usage("a model that labels words has no label for a text", "--ids, use --logits-hex");
    tag(model, options, texts);
    return;
  }
  std::vector<std::vector<int32_t>> ids, types;
  if (options.ids) {
    for (const std::string& text : texts) {
      const std::size_t tab = model.info().pairs ? std::min(text.find('\t'), text.size()) : text.size();
      ids.push_back(parse_ids(std::string_view(text).substr(0, tab)));
      types.emplace_back(ids.back().size(), 0);
      const std::vector<int32_t> second = parse_ids(std::string_view(text).substr(tab));
      ids.back().insert(ids.back().end(), second.begin(), second.end());
      types.back().resize(ids.back().size(), 1);
    }
  } else if (model.info().pairs) {
    std::vector<std::pair<std::string_view, std::string_view>> pairs;
    pairs.reserve(texts.size());
    for (const std::string& text : texts) pairs.push_back(split_pair(text));
    for (potstill::Tokens& tokens : model.tokenize_pairs(pairs, options.truncate)) {
      ids.push_back(std::move(tokens.ids));
      types.push_back(std::move(tokens.types));
    }
  } else {
    const std::vector<std::string_view> views(texts.begin(), texts.end());
    ids = model.tokenize(views, options.truncate);
  }
  if (options.print == Print::Tokens) {
    for (const auto& sequence : ids) {
      for (std::size_t i = 0; i < sequence.size(); ++i) std::printf("%s%d", i > 0 ? " " : "", sequence[i]);
      std::printf("\n");
    }
    return;
  }
  if (options.print == Print::Profile) {
    for (const auto& sequence : ids) {
      const potstill::Profile profile = model.profile(std::span(&sequence, 1), 30);
      std::printf("# %zu tokens, %d threads; peak of one core, measured: int8 %.1f, f32 %.1f GMAC/s\n%s",
                  sequence.size(), profile.threads, profile.peak_int8 / 1e9, profile.peak_f32 / 1e9,
                  potstill::tools::profile_table(profile).c_str());
    }
    return;
  }
  std::vector<potstill::Tokens> sequences;
  sequences.reserve(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    sequences.push_back({ids[i], model.info().pairs ? types[i] : std::vector<int32_t>(ids[i].size(), 0)});
  }
  const potstill::Output out = model.run(sequences);
  const bool embed = options.print == Print::EmbedHex;
  if ((embed ? out.embedding : out.logits).columns == 0) {
    throw potstill::Error(embed ? "I009" : "I008",
                          embed ? "the model gives no pooled vector" : "the model has no classification head",
                          options.model, embed ? "use --logits-hex" : "use --embed-hex");
  }
  if (labels) {
    const std::vector<double> scores = model.scores(out.logits);
    const std::size_t columns = out.logits.columns;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      if (model.info().score != potstill::Score::None) {
        print_score(scores[i], texts[i], options.print == Print::Json);
      } else {
        const auto row = std::span(scores).subspan(i * columns, columns);
        print_prediction(model.info(), row, texts[i], options.print == Print::Json);
      }
    }
    return;
  }
  for (std::size_t i = 0, token = 0; i < texts.size(); token += ids[i++].size()) {
    if (!embed && model.info().per_token) {
      print_hex(out.logits, token, ids[i].size());
    } else {
      print_hex(embed ? out.embedding : out.logits, i);
    }
  }
}

// The answer to a line without text: nothing, in JSON null.
void answer_nothing(const Options& options) { std::puts(options.print == Print::Json ? "null" : ""); }

// Answers one line; of what is wrong with this text alone, tells why in its place. Whether it has an answer.
bool answer_line(const potstill::Model& model, const Options& options, const std::string& text, std::size_t number) {
  try {
    answer(model, options, {text});
    return true;
  } catch (const potstill::Error& error) {
    constexpr std::string_view kOfOneText[] = {"I001", "I002", "I003", "I015", "I103", "I104", "F062"};
    if (std::ranges::find(kOfOneText, error.code) == std::end(kOfOneText)) throw;
    std::fprintf(stderr, "line %zu: %s\n", number, error.what());
    using potstill::tools::quoted;
    const bool json = options.print == Print::Json;
    std::puts(json ? ("{\"text\": " + quoted(text) + ", \"error\": " + quoted(error.what()) + "}").c_str() : "");
    return false;
  }
}

// Line n of the output answers line n of the input as soon as it is read. Returns the exit code.
int answer_input(const potstill::Model& model, const Options& options) {
  bool all = true;
  std::size_t number = 0;
  for (std::string line; std::getline(std::cin, line);) {
    if (++number == 1 && line.starts_with("\xef\xbb\xbf")) line.erase(0, 3);
    if (line.ends_with('\r')) line.pop_back();
    if (line.find_first_not_of(" \t") == std::string::npos) {
      answer_nothing(options);
    } else {
      all = answer_line(model, options, line, number) && all;
    }
    std::fflush(stdout);
  }
  if (std::ferror(stdin) != 0) {  // closed, or a folder
    throw potstill::Error("I126", "standard input cannot be read", "-",
                          "give texts as arguments or pipe a text file in");
  }
  return all ? 0 : 1;
}

void print_info(const potstill::Info& info) {
  using potstill::tools::quoted;
  constexpr const char* kScores[] = {"\"\"", "\"raw\"", "\"sigmoid\""};
  std::string labels, provenance, forbidden;
  for (const uint32_t id : info.forbidden_ids) forbidden += (forbidden.empty() ? "" : ", ") + std::to_string(id);
  for (const auto& name : info.labels) labels += (labels.empty() ? "" : ", ") + quoted(name);
  for (const auto& [key, value] : info.provenance) {
    provenance += (provenance.empty() ? "" : ", ") + quoted(key) + ": " + quoted(value);
  }
  std::printf(
      "{\"name\": %s, \"task\": %s, \"scheme\": %s, \"labels\": [%s], \"multi_label\": %s, \"pairs\": %s, "
      "\"normalized\": %s, \"units\": %s, \"score\": %s, \"forbidden_ids\": [%s], "
      "\"max_tokens\": %u, \"vocabulary\": %u, "
      "\"hidden\": %u, \"parameters\": %llu, \"bytes\": %llu, \"arena_bytes\": %llu, \"isa\": %s, \"threads\": %d, "
      "\"producer\": %s, \"license\": %s, \"provenance\": {%s}}\n",
      quoted(info.name).c_str(), quoted(info.task).c_str(), quoted(info.scheme).c_str(), labels.c_str(),
      info.multi_label ? "true" : "false", info.pairs ? "true" : "false", info.normalized ? "true" : "false",
      quoted(info.units).c_str(), kScores[static_cast<std::size_t>(info.score)], forbidden.c_str(), info.max_tokens,
      info.vocabulary, info.hidden, static_cast<unsigned long long>(info.parameters),
      static_cast<unsigned long long>(info.bytes), static_cast<unsigned long long>(info.arena_bytes),
      quoted(info.isa).c_str(), info.threads, quoted(info.producer).c_str(), quoted(info.license).c_str(),
      provenance.c_str());
}

int run(int count, char** arguments) {
  const Options options = parse(count, arguments);
  if (options.help) {
    std::fputs(kHelp, stdout);
    return 0;
  }
  if (options.version) {
    std::printf("potstill-run %s\n", potstill_version());
    return 0;
  }
  if (options.system) {
    const potstill::tools::System system = potstill::tools::this_system();
    const bool json = options.print == Print::Json;
    std::fputs((json ? potstill::tools::json(system) : potstill::tools::text(system)).c_str(), stdout);
    return 0;
  }
  const potstill::Model model = potstill::Model::load(options.model, options.threads, options.mapped);
  if (options.info) {
    print_info(model.info());
    return 0;
  }
  int code = 0;
  std::vector<std::string> texts;
  for (const std::string& text : options.texts) {
    if (text == "-") {
      code = std::max(code, answer_input(model, options));
    } else {
      texts.push_back(text);
    }
  }
  if (!texts.empty()) answer(model, options, texts);
  return code;
}

}  // namespace

int main(int count, char** arguments) {
  try {
    const int code = run(count, arguments);
    if (std::fflush(stdout) != 0) {
      throw potstill::Error("S003", "the output cannot be written", "standard output", "check the disk or the pipe");
    }
    return code;
  } catch (const potstill::Error& error) {
    std::fflush(stdout);
    std::fprintf(stderr, "%s\n", error.what());
    // F001: what it was told to read is not there.
    return error.code[0] == 'I' || error.code[0] == 'K' || error.code == "F001" ? 2 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error[S004]: the system reported: %s; potstill-run; free some memory\n", error.what());
    return 1;
  }
}
