"""Which code counts for the key of a stage: on the real package, on a copy of it that is edited, and on small ones."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shutil
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from potstill.keys import closure
from potstill.keys.closure import GROUND, PACKAGE, Sources, is_ground, library_versions
from potstill.keys.syntax import LAZY

STAGES = "potstill.pipeline.stages"
# The table of boards: a wheel holds it, the tree has it elsewhere.
SETS = "boards/sets.def" if (PACKAGE / "boards" / "sets.def").is_file() else "cpp/src/kernels/sets.def"
BOARDS = "boards/boards.toml" if (PACKAGE / "boards" / "boards.toml").is_file() else "toolchains/boards.toml"
ROUNDING = "potstill.pipeline.rounding"


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("memory") / "sources.json"


@pytest.fixture(scope="module")
def real(memory: Path) -> Sources:
    return Sources(PACKAGE, memory)


@pytest.mark.parametrize(
    ("module", "run", "holds", "lacks"),
    [
        (STAGES, "run_data", ["data/files.py", "data/hub.py", "data/demo.py", "data/conll.py", "data/splits.py"],
         ["distil/train/trainer.py", "compile/fuse.py", "export/onnx.py"]),
        (STAGES, "run_teacher", ["distil/teacher/finetune.py", "models/classifier.py", "models/backbones.py",
         "models/tokens.py", "data/splits.py", "data/demo.py"], ["quantize/gptq.py", "compile/fuse.py"]),
        (STAGES, "run_student", ["distil/distillation.py", "distil/train/trainer.py", "distil/losses/relations.py",
         "distil/train/augment.py", "distil/students/inits/pca.py", "distil/students/kinds/static.py",
         "distil/teacher/cache.py", "distil/vocabulary/choice.py", "models/heads/multi_label.py"],
         ["quantize/qat.py", "quantize/gptq.py", "compile/fuse.py", "export/onnx.py", "pipeline/report/html.py"]),
        (ROUNDING, "run_sensitivity", ["compile/fuse.py", "quantize/fake_quant.py", "quantize/sensitivity.py"], []),
        (ROUNDING, "run_gptq", ["compile/import_onnx.py", "compile/fuse.py", "compile/ops/linear.py",
         "export/onnx.py", "quantize/fake_quant.py", "quantize/rounded_student.py", "quantize/gptq_solver.py",
         "quantize/choice.py"], ["quantize/qat.py", "export/tflite.py"]),
        (ROUNDING, "run_qat", ["quantize/qat.py", "distil/train/trainer.py", "quantize/fake_quant.py",
         "still/int4.py"], ["export/tflite.py"]),
        (STAGES, "run_onnx", ["export/onnx.py", "export/plain.py", "export/graph_passes.py", "models/classifier.py"],
         ["compile/fuse.py", "distil/train/trainer.py", "quantize/gptq.py", "export/tflite.py"]),
        (STAGES, "run_onnx_static", ["export/onnx_static.py", "models/tokens.py"], ["export/tflite.py"]),
        (STAGES, "run_tflite", ["export/tflite.py", "export/tflite_worker.py"], ["export/onnx.py"]),
        (STAGES, "run_still", ["compile/compiler.py", "compile/tokenizers/models/wordpiece.py", "compile/verify.py",
         "still/pack.py", "still/schemes.py"], ["distil/train/trainer.py", "export/tflite.py"]),
        (STAGES, "run_verify", ["export/parity.py", "models/evaluation.py", "models/words.py", "models/truth.py",
         "runtime/backends/native.py", "runtime/backends/litert.py"], ["distil/train/trainer.py"]),
        (STAGES, "run_bench", ["bench/measure.py", "compare/peers/litert.py", "bench/own.py",
         "runtime/backends/native.py"], ["distil/train/trainer.py", "bench/predict/predict.py"]),
        ("potstill.pipeline.budget.meet", "meet_budget", ["pipeline/budget/ladder.py", "bench/predict/predict.py",
         "distil/train/trainer.py", "bench/predict/costs.json", BOARDS, SETS], ["pipeline/report/html.py"]),
        ("potstill.pipeline.budget.attempt", "run_score", ["models/evaluation.py", "runtime/model.py"],
         ["distil/train/trainer.py"]),
    ],
)  # fmt: skip
def test_what_counts_for_the_real_stages(
    real: Sources, module: str, run: str, holds: list[str], lacks: list[str]
) -> None:
    code = real.closure_of(module, run).code
    assert set(holds) <= code.keys(), set(holds) - code.keys()
    assert not set(lacks) & code.keys()
    assert all(not path.startswith(("recipe/", "errors", "pipeline/report/", "commands/", "doctor/")) for path in code)


@pytest.mark.parametrize(
    ("module", "run", "libraries"),
    [
        (STAGES, "run_data", ["datasets", "numpy", "pyarrow"]),
        (STAGES, "run_student", ["torch", "transformers", "tokenizers", "numpy", "safetensors"]),
        (STAGES, "run_onnx", ["torch", "onnx", "onnxruntime", "onnxsim"]),
        (STAGES, "run_tflite", ["litert-torch", "ai-edge-quantizer"]),
        (STAGES, "run_still", ["onnx", "numpy", "xxhash", "flatbuffers"]),
    ],
)
def test_versions_of_the_libraries_count(real: Sources, module: str, run: str, libraries: list[str]) -> None:
    found = real.closure_of(module, run).libraries
    there = [name for name in libraries if importlib.util.find_spec(name.replace("-", "_")) is not None]
    assert set(there) <= found.keys()
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))


def test_every_library_that_is_installed_has_a_version(real: Sources) -> None:
    for module, run in ((STAGES, "build_stages"), ("potstill.pipeline.budget.meet", "meet_budget")):
        real.closure_of(module, run)
    used = {
        library
        for module in real._used.values()
        for library in (*module.libraries.values(), *(one for part in module.parts.values() for one in part.libraries))
    }
    for library in used:
        if importlib.util.find_spec(library) is not None:
            assert len(library_versions([library])) > 1, library


def test_the_native_core_counts_by_content(tmp_path: Path) -> None:
    package = write_package(tmp_path, {"job": "from potstill import _core\ndef run():\n    return _core.ends()\n"})
    keys = set()
    for content in (b"one", b"two"):
        (package / "_core.cpython-311.so").write_bytes(content)
        code = Sources(package).closure_of("potstill.job", "run").code
        assert set(code) == {"_core", "job.py"}
        keys.add(code["_core"])
    assert len(keys) == 2


def test_the_rule_of_what_is_left_out() -> None:
    """Every entry is there, tells why, imports no library that computes, and nothing that is not left out too."""
    for name, reason in GROUND.items():
        assert reason and re.fullmatch(r"potstill(\.\w+)*(\.\*)?", name)
        place = PACKAGE.joinpath(*name.removesuffix(".*").split(".")[1:])
        files = (
            sorted(place.glob("*.py"))
            if name.endswith(".*")
            else [place / "__init__.py" if place.is_dir() else place.with_name(f"{place.name}.py")]
        )
        assert files and all(file.is_file() for file in files), name
        for file in files:
            _imports_nothing_that_computes(name, file)


def _imports_nothing_that_computes(name: str, file: Path) -> None:
    allowed = {"pydantic", "pydantic_core", "rich", "xxhash"}
    if name == "potstill.work.processes":
        allowed.add("torch")  # its exchange of objects between processes
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        else:
            continue
        for module in modules:
            first = module.split(".")[0]
            ours = first == "potstill" and (is_ground(module) or name == "potstill")
            assert ours or first in sys.stdlib_module_names or first in allowed, (file, module)


def test_packages_that_import_names_when_asked_say_where_they_are() -> None:
    for name in LAZY:
        tree = ast.parse((PACKAGE.joinpath(*name.split(".")[1:]) / "__init__.py").read_text(encoding="utf-8"))
        assert any(isinstance(node, ast.FunctionDef) and node.name == "__getattr__" for node in tree.body)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the real package."""
    folder = tmp_path_factory.mktemp("copy") / "potstill"
    shutil.copytree(PACKAGE, folder, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    return folder


def comment(text: str) -> str:
    return "# A comment.\n\n" + text.replace("\nimport ", "  # another\n\n\nimport ", 1)


def docstring(text: str) -> str:
    return re.sub(r'"""[A-Z]', '"""Otherwise said: x', text)


def constant(text: str) -> str:
    return re.sub(r"\b1\b", "2", text)


EDITS = [
    ("models/evaluation.py", comment, []),
    ("distil/train/trainer.py", docstring, []),
    ("compile/fuse.py", docstring, []),
    ("errors/__init__.py", constant, []),
    ("pipeline/engine.py", constant, []),
    ("recipe/distil.py", constant, []),
    ("pipeline/report/html.py", constant, []),
    ("distil/losses/relations.py", constant, ["run_student", "run_qat"]),
    ("compile/fuse.py", constant, ["run_gptq", "run_qat", "run_still"]),
    ("quantize/gptq_solver.py", constant, ["run_gptq"]),
    ("export/parity.py", constant, ["run_verify"]),
]


@pytest.mark.parametrize(("file", "edit", "changed"), EDITS)
def test_an_edit_of_words_changes_no_key_and_one_of_code_those_that_use_it(
    copy: Path, memory: Path, real: Sources, file: str, edit: Callable[[str], str], changed: list[str]
) -> None:
    runs = {"run_student": STAGES, "run_still": STAGES, "run_verify": STAGES, "run_gptq": ROUNDING, "run_qat": ROUNDING}
    before = {run: real.closure_of(module, run).code for run, module in runs.items()}
    path = copy / file
    text = path.read_text(encoding="utf-8")
    path.write_text(edit(text), encoding="utf-8")
    try:
        assert path.read_text(encoding="utf-8") != text
        after = {run: Sources(copy, memory).closure_of(module, run).code for run, module in runs.items()}
    finally:
        path.write_text(text, encoding="utf-8")
    for codes in (before, after):
        for code in codes.values():
            code.pop("_core", None)
    assert sorted(run for run in runs if before[run] != after[run]) == sorted(changed)
    for run in changed:
        assert {name for name in before[run] if before[run][name] != after[run].get(name)} == {file}


def write_package(folder: Path, modules: dict[str, str]) -> Path:
    """A package `potstill` of such modules; `a/b` is `potstill.a.b`."""
    package = folder / "python" / "potstill"
    for name, text in {"__init__": "", **modules}.items():
        path = package / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not (path.parent / "__init__.py").exists():
            (path.parent / "__init__.py").write_text("")
        path.write_text(textwrap.dedent(text))
    return package


SMALL = {
    "job": """
        from potstill.parts import double
        from potstill.parts.other import unused
        LIMIT = 3
        def run():
            from potstill import late
            return helper(double(LIMIT)) + late.answer()
        def helper(x):
            return x
        def elsewhere():
            return unused()
    """,
    "parts/__init__": "from potstill.parts.maths import double\n",
    "parts/maths": "def double(x):\n    return 2 * x\ndef triple(x):\n    return 3 * x\n",
    "parts/other": "import torch\ndef unused():\n    return torch.ones(1)\nprint('runs when imported')\n",
    "late": """
        import importlib
        KINDS = {"a": "potstill.kinds.a"}
        def answer():
            return importlib.import_module(KINDS["a"]).make() + importlib.import_module(f"{__name__}.x").x
        def other():
            return 0
    """,
    "kinds/a": "def make():\n    return 1\n",
    "kinds/b": "def make():\n    return 2\n",
}


def test_a_small_package_is_followed_by_what_is_used(tmp_path: Path) -> None:
    found = Sources(write_package(tmp_path, SMALL)).closure_of("potstill.job", "run")
    # Of parts/other only what runs when it is imported.
    assert set(found.code) == {"job.py", "parts/maths.py", "parts/other.py", "late.py", "kinds/a.py"}
    assert "torch" not in found.libraries


@pytest.mark.parametrize(
    ("module", "old", "new", "same"),
    [
        ("job", "LIMIT = 3", "LIMIT = 4", False),
        ("job", "return unused()", "return 7", True),
        ("job", "return helper(", "return 1 + helper(", False),
        ("job", "    return x\n", "    return x + 1\n", False),
        ("parts/maths", "2 * x", "x + x", False),
        ("parts/maths", "3 * x", "x * 3", True),
        ("parts/other", "torch.ones(1)", "torch.ones(2)", True),
        ("parts/other", "print('runs", "print('it runs", False),
        ("late", "return 0", "return 1", True),
        ("kinds/a", "return 1", "return 3", False),
        ("kinds/b", "return 2", "return 3", True),
        ("parts/__init__", "maths import double", "maths import triple as double", False),
    ],
)
def test_only_what_is_used_counts(tmp_path: Path, module: str, old: str, new: str, same: bool) -> None:
    package = write_package(tmp_path, SMALL)
    before = Sources(package).closure_of("potstill.job", "run")
    path = package / f"{module}.py"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    assert (Sources(package).closure_of("potstill.job", "run") == before) is same


def test_modules_by_computed_names_all_count(tmp_path: Path) -> None:
    modules = {
        "job": "import importlib\ndef run(name):\n    return importlib.import_module(f'potstill.kinds.{name}')\n",
        "kinds/a": "def make():\n    return 1\n",
        "kinds/b": "import json\ndef make():\n    return 2\n",
    }
    found = Sources(write_package(tmp_path, modules)).closure_of("potstill.job", "run")
    assert set(found.code) == {"job.py", "kinds/a.py", "kinds/b.py"}


def test_data_files_beside_a_module_count(tmp_path: Path) -> None:
    package = write_package(tmp_path, {"costs/table": "def run():\n    return open('costs.json')\n"})
    keys = []
    for text in ("{}", '{"a": 1}'):
        (package / "costs" / "costs.json").write_text(text)
        keys.append(Sources(package).closure_of("potstill.costs.table", "run").code["costs/costs.json"])
    assert keys[0] != keys[1]


def test_what_is_remembered_gives_the_same(real: Sources, memory: Path) -> None:
    wanted = real.closure_of(STAGES, "run_gptq")
    assert Sources(PACKAGE, memory).closure_of(STAGES, "run_gptq") == wanted
    assert Sources(PACKAGE, None).closure_of(ROUNDING, "run_gptq") == real.closure_of(ROUNDING, "run_gptq")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"maker": 1}', '{"maker": null, "files": {"a": 3}}'])
def test_a_damaged_memory_is_made_anew(tmp_path: Path, text: str) -> None:
    package, memory = write_package(tmp_path, SMALL), tmp_path / "sources.json"
    wanted = Sources(package).closure_of("potstill.job", "run")
    memory.write_text(text)
    assert Sources(package, memory).closure_of("potstill.job", "run") == wanted
    assert json.loads(memory.read_text())["files"]
    maker = json.loads(memory.read_text())["maker"]
    memory.write_text(json.dumps({"maker": maker, "files": {"potstill.job x": {"parts": []}}}))
    assert Sources(package, memory).closure_of("potstill.job", "run") == wanted


def test_a_function_from_elsewhere_has_no_closure() -> None:
    assert closure.sources().closure(test_a_function_from_elsewhere_has_no_closure) == closure.Closure()
