"""A recipe before training: will the core run its student, and how large and fast will it be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from potstill.doctor.check import Findings
from potstill.errors import missing_module

if TYPE_CHECKING:
    from potstill.bench.predict import ModelShape
    from potstill.recipe.schema import Recipe

# BERT's vocabulary and the demo teacher's: what a student gets unless the teacher's files say otherwise.
BERT_VOCABULARY = 30522
# Layers and hidden size of BERT-base, and of the demo teacher.
_BERT_SIZES, _DEMO_SIZES = (12, 768), (6, 384)
_DEMO = "demo:all-minilm-l6-v2"
_ARCHITECTURES = ("bert", "factorized", "static")
# Names in transformers of activations that the compiler understands in its exports. A student takes its teacher's.
_ACTIVATIONS = ("gelu", "gelu_new", "gelu_fast", "gelu_python", "gelu_pytorch_tanh", "relu", "tanh")
# Files of tokenizers that are not WordPiece, the only kind in the core.
_OTHER_TOKENIZERS = ("spiece.model", "sentencepiece.bpe.model", "merges.txt")


def shape_of_recipe(findings: Findings, subject: str) -> ModelShape | None:
    """The student that a recipe asks for, with what the teacher's files tell where they are on this machine.

    Raises:
        RecipeError: R... what is wrong in the recipe.
    """
    try:
        from potstill.recipe import load_recipe
    except ImportError as error:
        lacking = missing_module(error, "build", subject)
        findings.unknown("recipe", f"{lacking.what}: {lacking.next_step}")
        return None
    from potstill.bench.predict import ModelShape
    from potstill.bench.predict.shape import linear_part
    from potstill.recipe.presets import FACTORIZED_SIZE

    recipe = load_recipe(subject)
    student = recipe.student
    if student.architecture not in _ARCHITECTURES:
        known = ", ".join(_ARCHITECTURES)
        findings.failure("student", f"{student.architecture!r} is no student", f"use one of {known}")
        return None
    longest = recipe.compile.max_tokens or recipe.data.max_tokens
    static = student.architecture == "static"
    embedding = 0
    if student.architecture == "factorized":
        embedding = student.embedding_size or min(FACTORIZED_SIZE, student.hidden)
    findings.ok("student", f"{_sizes(student, embedding)}, {recipe.compile.scheme}, {longest} tokens")
    folder = teacher_folder(recipe)
    config = _json(folder / "config.json") if folder else {}
    activation = str(config.get("hidden_act") or config.get("activation") or "gelu")
    if static:
        findings.ok("operators", "the core runs every operator of a static student")
    elif activation in _ACTIVATIONS:
        findings.ok("operators", f"the core runs every operator of a {student.architecture} student ({activation})")
    else:
        seen = f"the core has no activation {activation!r}, which the student takes from its teacher"
        findings.failure("operators", seen, "use a teacher with gelu, relu or tanh")
    if folder:
        _tokenizer(findings, folder)
    vocabulary = _vocabulary(findings, recipe.teacher.model, config)
    if recipe.budget.stated:
        return _chosen(findings, recipe, config, vocabulary)
    if student.vocabulary == "seen":
        vocabulary = _pruned(findings, student.vocabulary_size, vocabulary)
    layers, ffn, heads = (
        (0, student.head_hidden, 1) if static else (student.layers, student.intermediate, student.heads)
    )
    return ModelShape(
        layers, student.hidden, ffn, heads, vocabulary, longest, _labels(recipe),
        linear_part(recipe.compile.scheme), embedding=embedding if embedding != student.hidden else 0,
        table_scheme="" if recipe.compile.embedding == "auto" else recipe.compile.embedding,
    )  # fmt: skip


def _labels(recipe: Any) -> int:
    """Outputs of the head; 2 where only the data tells."""
    return 0 if recipe.task == "embedding" else len(recipe.data.labels or ()) or 2


def _chosen(findings: Findings, recipe: Recipe, config: dict[str, Any], vocabulary: int) -> ModelShape | None:
    """The most able student within the recipe's budget, as far as that is known before the data is read."""
    from potstill.budget.ladder import Teacher, choices, within
    from potstill.budget.meet import limits_of, nothing_fits

    inner = config.get("backbone", config)
    named = (("num_hidden_layers", "n_layers"), ("hidden_size", "dim"))
    layers, hidden = (int(next((inner[key] for key in keys if key in inner), 0)) for keys in named)
    if not layers or not hidden:
        layers, hidden = _DEMO_SIZES if recipe.teacher.model == _DEMO else _BERT_SIZES
        findings.unknown("teacher", f"taken as {layers} layers of {hidden}: its files are not on this machine")
    ladder = choices(recipe, Teacher(layers, hidden, vocabulary, vocabulary, _labels(recipe)),
                     recipe.budget.ms)  # fmt: skip
    limits = limits_of(recipe.budget)
    fitting = within(ladder, limits)
    if not fitting:
        error = nothing_fits(ladder, limits, recipe)
        findings.failure("budget", error.what, error.next_step)
        return None
    best = max(fitting, key=lambda choice: choice.expected)
    seen = f"{len(fitting)} of {len(ladder)} students are within it, the most able {best.name}"
    findings.ok("budget", f"{seen}; whether one keeps the accuracy only training tells")
    return best.shape


def _sizes(student: Any, embedding: int) -> str:
    if student.architecture == "static":
        head = f", a head of {student.head_hidden}" if student.head_hidden else ""
        return f"static: no attention, vectors of {student.hidden}{head}"
    table = f", a token table of {embedding}" if embedding else ""
    return f"{student.layers} layers, hidden {student.hidden}, {student.heads} heads, FFN {student.intermediate}{table}"


def _pruned(findings: Findings, most: int | None, full: int) -> int:
    """An upper bound: what the texts use is known once they are read."""
    bound = full if most is None else min(most, full)
    seen = (
        f"at most {bound:,} of them are kept: which occur is known once the data is read; sizes below are upper bounds"
    )
    findings.unknown("vocabulary kept", seen)
    return bound


def teacher_folder(recipe: Any) -> Path | None:
    """The teacher's files if they are on this machine, as `potstill build` would find them; nothing is fetched."""
    named = str(recipe.teacher.model)
    if named.startswith("demo:"):
        from potstill.cache import cache_dir

        folder = cache_dir() / "demo" / named.removeprefix("demo:")
        return folder if folder.is_dir() else None
    places = [base / named for base in (recipe.base, Path.cwd()) if base is not None]
    return next((place for place in places if (place / "config.json").is_file()), None)


def _vocabulary(findings: Findings, teacher: str, config: dict[str, Any]) -> int:
    told = config.get("vocab_size")
    if isinstance(told, int) and told > 0:
        findings.ok("vocabulary", f"{told:,} tokens, the teacher's")
        return told
    if teacher == _DEMO:
        findings.ok("vocabulary", f"{BERT_VOCABULARY:,} tokens, the teacher's")
    else:
        seen = f"{teacher} is not on this machine: counted with BERT's {BERT_VOCABULARY:,} tokens"
        findings.unknown("vocabulary", seen)
    return BERT_VOCABULARY


def _tokenizer(findings: Findings, folder: Path) -> None:
    model = _json(folder / "tokenizer.json").get("model", {})
    kind = str(model.get("type", "")) if isinstance(model, dict) else ""
    others = [name for name in _OTHER_TOKENIZERS if (folder / name).is_file()]
    plain = (folder / "vocab.txt").is_file()
    if (kind and kind != "WordPiece") or (not kind and others and not plain):
        seen = f"the teacher's is {kind or others[0]}, the core has WordPiece only"
        findings.failure("tokenizer", seen, "use a teacher with a WordPiece tokenizer, such as BERT or MiniLM")
    elif kind or plain:
        findings.ok("tokenizer", "WordPiece")
    else:
        findings.warning("tokenizer", f"none in {folder}", "save the teacher's tokenizer beside it")


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
