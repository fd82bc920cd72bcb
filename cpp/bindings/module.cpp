// potstill._core: the core for Python. Conversion only; checks and messages live in the core.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "heads/probability.h"
#include "kernels/select.h"
#include "potstill/model.hpp"
#include "tokenizer/words.h"
#include "tokenizer_binding.h"

namespace py = pybind11;

namespace {

// Ids and ends of a sequence of sequences of integers. An integer that is no int32 becomes -1, which is in no
// vocabulary, so the core reports it with its place.
struct Batch {
  std::vector<int32_t> ids;
  std::vector<std::size_t> offsets{0};
};

Batch read_batch(const py::iterable& sequences) {
  Batch batch;
  for (const py::handle sequence : sequences) {
    for (const py::handle item : py::iterable(py::reinterpret_borrow<py::object>(sequence))) {
      const auto number = py::reinterpret_steal<py::object>(PyNumber_Index(item.ptr()));
      if (!number) throw py::error_already_set();
      int overflow = 0;
      const long long id = PyLong_AsLongLongAndOverflow(number.ptr(), &overflow);
      const bool fits = overflow == 0 && id >= 0 && id <= std::numeric_limits<int32_t>::max();
      batch.ids.push_back(fits ? static_cast<int32_t>(id) : -1);
    }
    batch.offsets.push_back(batch.ids.size());
  }
  return batch;
}

// UTF-8 of each text; a lone surrogate, which UTF-8 cannot hold, becomes '?' as in Python's errors="replace".
std::vector<std::string> read_texts(const py::iterable& texts) {
  std::vector<std::string> all;
  for (const py::handle text : texts) {
    const auto bytes = py::reinterpret_steal<py::bytes>(PyUnicode_AsEncodedString(text.ptr(), "utf-8", "replace"));
    if (!bytes) throw py::error_already_set();
    all.emplace_back(bytes);
  }
  return all;
}

std::vector<std::string_view> views_of(const std::vector<std::string>& texts) { return {texts.begin(), texts.end()}; }

// Texts, or pairs of texts: `second` is None, or has as many.
struct Texts {
  Texts(const py::iterable& given, const py::object& other) : first(read_texts(given)), paired(!other.is_none()) {
    if (paired) second = read_texts(py::iterable(other));
    if (paired && first.size() != second.size()) throw py::value_error("not as many second texts as first ones");
  }

  std::vector<std::pair<std::string_view, std::string_view>> pairs() const {
    std::vector<std::pair<std::string_view, std::string_view>> all;
    all.reserve(first.size());
    for (std::size_t i = 0; i < first.size(); ++i) all.emplace_back(first[i], second[i]);
    return all;
  }

  std::vector<std::string> first, second;
  bool paired;
};

// The words of each text, and views of them.
struct WordTexts {
  explicit WordTexts(const py::iterable& texts) {
    for (const py::handle text : texts)
      all.push_back(read_texts(py::iterable(py::reinterpret_borrow<py::object>(text))));
    views.reserve(all.size());
    for (const auto& words : all) views.push_back(views_of(words));
  }

  std::vector<std::vector<std::string>> all;
  std::vector<std::vector<std::string_view>> views;
};

// What a message says; a path or an environment variable in it need not be UTF-8.
py::str printable(const std::string& text) {
  const auto made = py::reinterpret_steal<py::object>(
      PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "backslashreplace"));
  if (!made) throw py::error_already_set();
  return py::str(made);
}

// A row of a Matrix as a memoryview of float32; it shares the numbers and keeps them alive.
py::object row_of(const py::object& matrix, py::ssize_t index) {
  const auto& values = matrix.cast<const potstill::Matrix&>();
  const auto rows = static_cast<py::ssize_t>(values.rows);
  if (index < -rows || index >= rows)
    throw py::index_error("row " + std::to_string(index) + " of " + std::to_string(rows));
  const py::ssize_t begin = (index < 0 ? index + rows : index) * static_cast<py::ssize_t>(values.columns);
  const py::object flat = py::memoryview(matrix).attr("cast")("B").attr("cast")("f");
  return flat[py::slice(begin, begin + static_cast<py::ssize_t>(values.columns), 1)];
}

py::list list_of_rows(const py::object& matrix, const py::slice& wanted) {
  py::ssize_t begin = 0, end = 0, step = 0, count = 0;
  const auto rows = static_cast<py::ssize_t>(matrix.cast<const potstill::Matrix&>().rows);
  if (!wanted.compute(rows, &begin, &end, &step, &count)) throw py::error_already_set();
  py::list found;
  for (py::ssize_t i = 0; i < count; ++i) found.append(row_of(matrix, begin + i * step));
  return found;
}

py::object matrix_or_none(potstill::Matrix&& matrix) {
  if (matrix.columns == 0) return py::none();
  return py::cast(std::move(matrix));
}

// Logits and embedding.
py::tuple pair_of(potstill::Output&& out) {
  return py::make_tuple(matrix_or_none(std::move(out.logits)), matrix_or_none(std::move(out.embedding)));
}

py::buffer_info describe(potstill::Matrix& matrix) {
  return py::buffer_info(matrix.data.data(), sizeof(float), py::format_descriptor<float>::format(), 2,
                         {matrix.rows, matrix.columns}, {matrix.columns * sizeof(float), sizeof(float)});
}

py::dict describe(const potstill::Info& info) {
  py::dict out;
  out["name"] = info.name;
  out["task"] = info.task;
  out["scheme"] = info.scheme;
  out["head"] = info.head;
  out["temperature"] = info.temperature;
  out["threshold"] = info.threshold;
  out["labels"] = info.labels;
  out["multi_label"] = info.multi_label;
  out["pairs"] = info.pairs;
  out["per_token"] = info.per_token;
  out["units"] = info.units;
  out["normalized"] = info.normalized;
  constexpr const char* kScores[] = {"", "raw", "sigmoid"};
  out["score"] = kScores[static_cast<std::size_t>(info.score)];
  out["forbidden_ids"] = info.forbidden_ids;
  out["max_tokens"] = info.max_tokens;
  out["vocabulary"] = info.vocabulary;
  out["logits"] = info.logits;
  out["hidden"] = info.hidden;
  out["layers"] = info.layers;
  out["heads"] = info.heads;
  out["intermediate"] = info.intermediate;
  out["parameters"] = info.parameters;
  out["bytes"] = info.bytes;
  out["arena_bytes"] = info.arena_bytes;
  out["has_tokenizer"] = info.has_tokenizer;
  out["isa"] = info.isa;
  out["threads"] = info.threads;
  out["producer"] = info.producer;
  out["license"] = info.license;
  py::dict provenance;
  for (const auto& [key, value] : info.provenance) provenance[py::str(key)] = value;
  out["provenance"] = provenance;
  return out;
}

// Slices, of which there are thousands, become tuples: thread, op, phase, tasks, begin, end, busy.
py::dict describe(const potstill::Profile& profile) {
  py::list ops, slices;
  for (const potstill::ProfileOp& op : profile.ops) {
    py::dict row;
    row["name"] = op.name;
    row["kind"] = op.kind;
    row["macs"] = op.macs;
    row["bytes"] = op.bytes;
    row["integer"] = op.integer;
    row["wall_ns"] = op.wall;
    row["busy_ns"] = op.busy;
    ops.append(row);
  }
  for (const potstill::ProfileSlice& s : profile.slices) {
    slices.append(py::make_tuple(s.thread, s.op, s.phase, s.tasks, s.begin, s.end, s.busy));
  }
  py::dict out;
  out["ops"] = ops;
  out["slices"] = slices;
  out["run_begin_ns"] = profile.run_begin;
  out["run_end_ns"] = profile.run_end;
  out["threads"] = profile.threads;
  out["peak_int8"] = profile.peak_int8;
  out["peak_f32"] = profile.peak_f32;
  return out;
}

}  // namespace

PYBIND11_MODULE(_core, module) {
  module.doc() = "Potstill's C++ core; use potstill.load instead.";
  module.attr("__version__") = POTSTILL_VERSION;
  potstill::bindings::bind_tokenizer(module);

  py::register_exception_translator([](std::exception_ptr pointer) {
    try {
      if (pointer) std::rethrow_exception(pointer);
    } catch (const potstill::Error& error) {
      const py::object made = py::module_::import("potstill.errors")
                                  .attr("from_core")(error.code, printable(error.what_happened), printable(error.where),
                                                     printable(error.next_step));
      PyErr_SetObject(py::type::of(made).ptr(), made.ptr());
    }
  });

  py::class_<potstill::Matrix>(
      module, "Matrix", py::buffer_protocol(),
      "float32 [rows, columns] in row-major order; memoryview(m) and numpy.asarray(m) share it.")
      .def_buffer([](potstill::Matrix& matrix) { return describe(matrix); })
      .def_property_readonly("shape", [](const potstill::Matrix& m) { return py::make_tuple(m.rows, m.columns); })
      .def("__len__", [](const potstill::Matrix& m) { return m.rows; })
      .def("__getitem__", &row_of, py::arg("row"))
      .def("__getitem__", &list_of_rows, py::arg("rows"))
      .def("__iter__",
           [](const py::object& m) { return py::iter(list_of_rows(m, py::slice(py::none(), py::none(), py::none()))); })
      .def("__repr__",
           [](const potstill::Matrix& m) {
             return "<potstill Matrix float32 [" + std::to_string(m.rows) + ", " + std::to_string(m.columns) + "]>";
           })
      .def("tolist", [](const potstill::Matrix& m) {
        py::list rows;
        for (std::size_t r = 0; r < m.rows; ++r) {
          py::list row;
          for (std::size_t c = 0; c < m.columns; ++c) row.append(m.data[r * m.columns + c]);
          rows.append(row);
        }
        return rows;
      });

  py::class_<potstill::Model>(module, "Model")
      .def(py::init([](const std::string& path, int threads, bool mapped) {
             const py::gil_scoped_release released;
             return potstill::Model::load(path, threads, mapped);
           }),
           py::arg("path"), py::arg("threads") = 0, py::arg("mapped") = false)
      .def_static(
          "from_bytes",
          [](const py::buffer& data, int threads, const std::string& name) {
            Py_buffer view;  // contiguous bytes, whatever the exporter's format
            if (PyObject_GetBuffer(data.ptr(), &view, PyBUF_SIMPLE) != 0) throw py::error_already_set();
            const std::unique_ptr<Py_buffer, void (*)(Py_buffer*)> kept(&view, PyBuffer_Release);
            const std::span bytes(static_cast<const std::byte*>(view.buf), static_cast<std::size_t>(view.len));
            const py::gil_scoped_release released;
            return potstill::Model::from_memory(bytes, threads, name);
          },
          py::arg("data"), py::arg("threads") = 0, py::arg("name") = "memory")
      .def("content",
           [](const potstill::Model& model) {
             const std::span<const std::byte> all = model.content();
             return py::bytes(reinterpret_cast<const char*>(all.data()), all.size());
           })
      .def("header",
           [](const potstill::Model& model) {
             const std::span<const std::byte> header = model.header();
             return py::bytes(reinterpret_cast<const char*>(header.data()), header.size());
           })
      .def("weights",
           [](const potstill::Model& model) {
             py::list rows;
             for (const potstill::Weight& weight : model.weights()) {
               rows.append(py::make_tuple(printable(std::string(weight.name)), weight.dtype,
                                          py::tuple(py::cast(weight.shape)), weight.bytes));
             }
             return rows;
           })
      .def("ops",
           [](const potstill::Model& model) {
             py::list rows;
             for (const potstill::OpInfo& op : model.ops()) {
               rows.append(py::make_tuple(printable(op.name), op.kind, op.per_token, op.width, op.inputs, op.heads,
                                          op.dtype, op.activation, op.head, op.parameters));
             }
             return rows;
           })
      .def("info", [](const potstill::Model& model) { return describe(model.info()); })
      .def(
          "encode",
          [](const potstill::Model& model, const py::iterable& first, const py::object& second, bool truncate) {
            const Texts texts(first, second);
            std::vector<potstill::Tokens> found;
            {
              const py::gil_scoped_release released;
              if (texts.paired) {
                found = model.tokenize_pairs(texts.pairs(), truncate);
              } else {
                for (auto& ids : model.tokenize(views_of(texts.first), truncate)) found.push_back({std::move(ids), {}});
              }
            }
            py::list ids, types;
            for (const potstill::Tokens& tokens : found) {
              ids.append(py::cast(tokens.ids));
              types.append(py::cast(tokens.types));
            }
            return py::make_tuple(ids, texts.paired ? py::object(types) : py::none());
          },
          py::arg("first"), py::arg("second") = py::none(), py::arg("truncate") = false)
      .def(
          "offsets",
          [](const potstill::Model& model, const py::iterable& first, const py::object& second, bool truncate) {
            const Texts texts(first, second);
            std::vector<std::vector<potstill::Offset>> found;
            {
              const py::gil_scoped_release released;
              found = texts.paired ? model.offsets(texts.pairs(), truncate)
                                   : model.offsets(views_of(texts.first), truncate);
            }
            py::list all;
            for (const auto& row : found) {
              py::list places;
              for (const potstill::Offset& offset : row) places.append(py::make_tuple(offset.begin, offset.end));
              all.append(places);
            }
            return all;
          },
          py::arg("first"), py::arg("second") = py::none(), py::arg("truncate") = false)
      .def(
          "encode_words",
          [](const potstill::Model& model, const py::iterable& given, bool truncate) {
            const WordTexts texts(given);
            std::vector<potstill::Words> found;
            {
              const py::gil_scoped_release released;
              found = model.tokenize_words(texts.views, truncate);
            }
            py::list ids, firsts;
            for (const potstill::Words& words : found) {
              ids.append(py::cast(words.ids));
              firsts.append(py::cast(words.firsts));
            }
            return py::make_tuple(ids, firsts);
          },
          py::arg("texts"), py::arg("truncate") = false)
      .def(
          "answer",
          [](const potstill::Model& model, const py::iterable& first, const py::object& second, bool truncate) {
            const Texts texts(first, second);
            potstill::Output out;
            {
              const py::gil_scoped_release released;
              out = texts.paired ? model.run(model.tokenize_pairs(texts.pairs(), truncate))
                                 : model.run(model.tokenize(views_of(texts.first), truncate));
            }
            return pair_of(std::move(out));
          },
          py::arg("first"), py::arg("second") = py::none(), py::arg("truncate") = false)
      .def(
          "answer_words",
          [](const potstill::Model& model, const py::iterable& given, bool truncate) {
            const WordTexts texts(given);
            potstill::Output out;
            std::vector<std::size_t> counts;
            {
              const py::gil_scoped_release released;
              const std::vector<potstill::Words> found = model.tokenize_words(texts.views, truncate);
              for (const potstill::Words& words : found) counts.push_back(words.firsts.size());
              out = model.run(found);
            }
            return py::make_tuple(matrix_or_none(std::move(out.logits)), counts);
          },
          py::arg("texts"), py::arg("truncate") = false)
      .def(
          "run",
          [](const potstill::Model& model, const py::iterable& sequences, const py::object& types) {
            const Batch batch = read_batch(sequences);
            const Batch given = types.is_none() ? Batch{} : read_batch(py::iterable(types));
            if (!types.is_none() && given.offsets != batch.offsets) {
              throw potstill::Error("I010", "token types and ids differ in number", "types", "give one an id");
            }
            potstill::Output out;
            {
              const py::gil_scoped_release released;
              out = model.run(batch.ids, batch.offsets, given.ids);
            }
            return pair_of(std::move(out));
          },
          py::arg("sequences"), py::arg("types") = py::none())
      .def("scores", &potstill::Model::scores, py::arg("logits"))
      .def(
          "profile",
          [](const potstill::Model& model, const std::vector<std::vector<int32_t>>& sequences, int runs) {
            potstill::Profile profile;
            {
              const py::gil_scoped_release released;
              profile = model.profile(sequences, runs);
            }
            return describe(profile);
          },
          py::arg("sequences"), py::arg("runs"));

  module.def(
      "word_ranges",
      [](const py::str& text, const std::string& units) {
        using potstill::tokenizer::Units;
        const Units wanted = units == "characters" ? Units::Characters : units == "given" ? Units::Given : Units::Words;
        const std::string bytes = read_texts(py::make_tuple(text)).front();
        py::list ends;
        for (const auto& word : potstill::tokenizer::words_of(bytes, wanted)) {
          ends.append(word.begin);
          ends.append(word.end);
        }
        return ends;
      },
      py::arg("text"), py::arg("units"),
      "First character of each word and the one behind it, in turn; units: words, characters or given.");

  module.def(
      "sigmoid", [](float logit) { return potstill::heads::sigmoid(logit); }, py::arg("logit"),
      "A score of a logit, in binary64, as the C and C++ APIs give it.");

  module.def(
      "kernel_sets", [] { return potstill::kernels::available(); },
      "Kernel sets of this build that this CPU runs, best first.");
}
