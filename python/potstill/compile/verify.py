"""Self-check after compiling: the fused graph in f32 against onnxruntime on the original ONNX, up to its longest text.

Whatever the importer may have misread shows here as a difference; no file is written then.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from potstill.card import Card
from potstill.compile.evaluate import Evaluator
from potstill.compile.ids import compared_with, sample_ids, vocabulary
from potstill.compile.import_onnx import Imported
from potstill.compile.ir import Graph
from potstill.compile.lengths import lengths_around
from potstill.compile.load import Source
from potstill.compile.lower import lower
from potstill.compile.ops.embedding import reads_pairs
from potstill.compile.run import run_onnx
from potstill.compile.sentence import SMALLEST_LENGTH
from potstill.compile.steady import odd_lengths, odd_splits
from potstill.errors import CompileError, PotstillError
from potstill.runtime.rows import TokenRows
from potstill.still.arrays import Array
from potstill.still.packed import PackedModel
from potstill.still.schemes import SCHEMES

# Of the largest output; f32 in another order of summation differs by about 1e-6.
TOLERANCE = 1e-4

# Core against numpy on the same packed weights. With quantized rows numpy does the core's own float arithmetic (exact),
# so that the two agree but for a value on a rounding edge, about one in 2^29.
CORE_TOLERANCE = {"fp32": 1e-4}
_QUANTIZED_TOLERANCE = 1e-3
# Longer texts take numpy too long in the core's own arithmetic: with its usual one, values on rounding edges fall to
# either side, which moved logits by up to 4 %. What this finds is a core that loses count of a long text.
_EXACT = 128
_ROUNDED_TOLERANCE = 0.25
# Longer than this a text is compared in f32 only (`verify`).
_AFFORDABLE = 512

# Lengths of the texts with special ids.
_SPECIAL_LENGTHS = (3, 16)

_OTHER_BACKEND = "run this model with the onnxruntime backend"
_REPORT = "do not use this model with potstill; please report the ONNX"


@dataclass(frozen=True)
class Difference:
    """One comparison: which output, at how many tokens, the greatest difference relative to the greatest value."""

    output: str
    tokens: int
    relative: float


def check_lengths(graph: Graph) -> list[int]:
    """Three lengths: a very short text, a middle one and the longest that the file accepts."""
    longest = graph.max_tokens
    return sorted({min(2, longest), min(max(longest // 3, 1), _EXACT), longest})


def check_onnx(imported: Imported, card: Card) -> list[dict[str, Any]]:
    """Compare the graph in f32 with the ONNX it came from; `Difference`s as dicts.

    Compared are texts of the three lengths of `check_lengths`, which are returned, texts at both sides of every number
    that the graph holds a length against, at lengths where one of its constants changes, and texts with the ids that
    it compares ids with, at several places.

    Raises:
        CompileError: the ONNX gives no finite numbers; they differ; they differ for certain ids;
            they differ from a certain length on; they differ for pairs.
    """
    checked = _Comparison(Evaluator(lower(imported.graph, SCHEMES["fp32"], card)), imported)
    shown = check_lengths(imported.graph)
    longest = imported.graph.max_tokens
    around = lengths_around(imported.onnx, longest)
    odd = odd_lengths(imported.onnx, imported.outputs.values(), longest)
    for tokens in sorted({*shown, *around, *odd}):
        ids = sample(imported, tokens)
        # Of a model of pairs single texts first: what differs for a pair alone is of the types.
        if checked.pairs:
            checked.check_length(checked.compare(ids, [0] * tokens))
        differences = checked.compare(ids, shown=tokens in shown)
        if checked.pairs:
            checked.check_pair(differences, tokens - tokens // 2)
        checked.check_length(differences)
        checked.agreed = tokens
    if checked.pairs:
        _check_splits(checked, odd_splits(imported.onnx, imported.outputs.values(), longest))
    for special, ids in _special_texts(imported, checked):
        worst = max(checked.compare(ids), key=lambda d: d.relative)
        if not worst.relative <= TOLERANCE:
            raise CompileError(
                "C102", f"the {worst.output} differs from the ONNX by {worst.relative:.1e} for texts with {special}",
                checked.where, _OTHER_BACKEND,
            )  # fmt: skip
    return [asdict(difference) for difference in checked.shown]


class _Comparison:
    """Runs both, and keeps the differences that are shown."""

    def __init__(self, evaluator: Evaluator, imported: Imported) -> None:
        self.evaluator, self.imported = evaluator, imported
        self.where = str(imported.onnx.source.path)
        self.shown: list[Difference] = []
        self.pairs = pair_types(imported.graph, 1) is not None
        self.agreed = 0  # the greatest length at which all was well so far

    def compare(self, ids: list[int], types: list[int] | None = None, *, shown: bool = False) -> list[Difference]:
        """The differences of one text, an output each; of a model of pairs both texts are as long, without `types`."""
        tokens = len(ids)
        types = pair_types(self.imported.graph, tokens) if types is None else types
        ours = self.evaluator.run(ids, types)
        found = []
        for name, wanted in self._original(ids, types).items():
            if not np.isfinite(wanted).all():
                raise CompileError(
                    "C047", f"the ONNX itself gives NaN or infinity as {name} ({tokens} tokens)", self.where,
                    "train or export the model again",
                )  # fmt: skip
            relative = float(np.abs(getattr(ours, name) - wanted).max() / max(np.abs(wanted).max(), 1e-6))
            found.append(Difference(name, tokens, relative))
        self.shown.extend(found if shown else [])
        return found

    def _original(self, ids: list[int], types: list[int] | None) -> dict[str, Array]:
        try:
            return original(self.imported, ids, types)
        except CompileError as error:
            raise CompileError(
                "C104", f"the ONNX does not run on a text of {len(ids)} tokens ({error.what})", self.where,
                self._lower_limit() or "set the limit to the longest text of the model: --max-tokens N",
            ) from error  # fmt: skip

    def _lower_limit(self) -> str:
        return f"it agrees up to {self.agreed} tokens: --max-tokens {self.agreed}" if self.agreed > 2 else ""

    def check_length(self, differences: list[Difference]) -> None:
        if not _fine(differences):
            raise self.length_error(max(differences, key=lambda d: d.relative))

    def check_pair(self, differences: list[Difference], second: int) -> None:
        """Differences of a pair of texts, when single texts of that length agree."""
        if not _fine(differences):
            worst = max(differences, key=lambda d: d.relative)
            raise CompileError(
                "C171", f"the model does more with token types than add a row each: with {second} of {worst.tokens} "
                f"tokens in the second text the {worst.output} differs from the ONNX by {worst.relative:.1e}",
                self.where, f"compile it for single texts, or {_OTHER_BACKEND}",
            )  # fmt: skip

    def length_error(self, worst: Difference) -> CompileError:
        """The error for a model that gives something else at other lengths, or is wrong in any case."""
        if worst.tokens == self.imported.onnx.length or not _fine(
            self.compare(sample(self.imported, min(self.imported.onnx.length, self.imported.graph.max_tokens)))
        ):
            return CompileError(
                "C049", f"the compiled {worst.output} differs from the ONNX by {worst.relative:.1e} (relative, "
                f"{worst.tokens} tokens)", self.where, _REPORT,
            )  # fmt: skip
        limit = self._lower_limit()
        return CompileError(
            "C104", f"the model gives something else at {worst.tokens} tokens than at {self.imported.onnx.length} (a "
            f"window, branch or scale that depends on the length; {worst.output} differs by {worst.relative:.1e})",
            self.where, f"{limit}; or {_OTHER_BACKEND}" if limit else _OTHER_BACKEND,
        )  # fmt: skip


def _check_splits(checked: _Comparison, odd: list[int]) -> None:
    """Pairs of other shares than halves: short and long second texts, and those that change a constant of the graph."""
    longest = checked.imported.graph.max_tokens
    middle = min(longest, _SPECIAL_LENGTHS[-1])
    splits = {(longest, second) for second in odd}
    splits |= {(n, second) for n in (middle, longest) for second in (1, 2, 2 * n // 3, n - 2) if 0 < second < n}
    for tokens, second in sorted(splits):
        types = [0] * (tokens - second) + [1] * second
        checked.check_pair(checked.compare(sample(checked.imported, tokens), types), second)


def _fine(differences: list[Difference]) -> bool:
    return all(item.relative <= TOLERANCE for item in differences)


def _special_texts(imported: Imported, checked: _Comparison) -> Iterator[tuple[str, list[int]]]:
    """Texts with each id that the graph compares ids with, and with ids in order; each with what is special in it."""
    onnx, forbidden = imported.onnx, imported.graph.forbidden_ids
    size = vocabulary(onnx.source, onnx.inputs.ids) or 1
    special = sorted({*compared_with(onnx.whole, onnx.inputs.ids), 0, size - 1}.difference(forbidden))
    for tokens in sorted({min(n, imported.graph.max_tokens) for n in _SPECIAL_LENGTHS}):
        plain = sample(imported, tokens)
        for number in special:
            for places in _places(tokens):
                ids = [number if i in places else plain[i] for i in range(tokens)]
                yield f"the id {number} at {', '.join(map(str, places))}", ids
        rising = sorted(plain)
        for what, ids in (("rising", rising), ("falling", rising[::-1]), ("rising and falling", _hill(rising))):
            yield f"{what} ids", ids


def _places(tokens: int) -> list[tuple[int, ...]]:
    """Where an id is put: start, middle, end, twice, three times, everywhere."""
    middle, end = tokens // 2, tokens - 1
    several = [(0,), (middle,), (end,), (middle, end), (0, middle, end), tuple(range(tokens))]
    return list(dict.fromkeys(tuple(dict.fromkeys(places)) for places in several))


def _hill(rising: list[int]) -> list[int]:
    return rising[::2] + rising[1::2][::-1]


def core_available() -> bool:
    """Whether the native core is installed here; a source checkout without a build has none."""
    return importlib.util.find_spec("potstill._core") is not None


def check_of_file(model: PackedModel, imported: Imported) -> Callable[[Path], None] | None:
    """What checks the written file of `model`; None where there is no core to run it."""
    return partial(_check_file, model=model, imported=imported) if core_available() else None


def _check_file(path: Path, model: PackedModel, imported: Imported) -> None:
    """Load the written file with the core and compare with the numpy evaluation of the same packed model.

    Raises:
        CompileError: the core refuses the file, or computes something else.
    """
    from potstill.runtime.backends import open_backend

    try:
        core = open_backend("native", path, 1)
    except PotstillError as error:
        raise CompileError(
            "C048", f"the core does not accept the compiled model ({error.code}: {error.what})", error.where, _REPORT
        ) from error
    scheme = model.header.card.scheme
    exact = Evaluator(model, exact=scheme != "fp32")
    onnx = imported.onnx
    for tokens in sorted({min(n, _AFFORDABLE) for n in check_lengths(imported.graph)}):
        evaluator, tolerance = exact, CORE_TOLERANCE.get(scheme, _QUANTIZED_TOLERANCE)
        if scheme != "fp32" and tokens > _EXACT:
            evaluator, tolerance = Evaluator(model), _ROUNDED_TOLERANCE
        ids = sample(imported, tokens)
        types = pair_types(imported.graph, tokens)
        ours = core.run(TokenRows([ids], None if types is None else [types]))
        wanted = evaluator.run(ids, types)
        for name in ("logits", "embedding"):
            expected = getattr(wanted, name)
            if expected is None:
                continue
            found = np.asarray(getattr(ours, name)).reshape(expected.shape)
            relative = float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-6))
            if not relative <= tolerance:
                raise CompileError(
                    "C048", f"the core's {name} differs by {relative:.1e} (relative, {tokens} tokens)",
                    str(onnx.source.path), _REPORT,
                )  # fmt: skip


def sample(imported: Imported, tokens: int) -> list[int]:
    """Random ids of this many tokens, without those that a text must not have."""
    onnx = imported.onnx
    return sample_ids(onnx.source, onnx.inputs.ids, tokens, seed=tokens, without=imported.graph.forbidden_ids)


def pair_types(graph: Graph, tokens: int) -> list[int] | None:
    """Token types of a pair whose texts share `tokens` evenly; None for a model of single texts."""
    if not reads_pairs(graph):
        return None
    return [0] * (tokens // 2) + [1] * (tokens - tokens // 2)


def original(
    imported: Imported, ids: list[int], types: list[int] | None = None, of: Source | None = None
) -> dict[str, Array]:
    """What onnxruntime says for one text, by our output names; per-token outputs are pooled here.

    `of` is the graph to run; None for the one whose answers are the model's.
    """
    onnx, count = imported.onnx, len(ids)
    fixed, mask = onnx.inputs.fixed_length, None
    if fixed is not None and count < fixed:
        # A model of fixed length sees a short text padded, the padding masked.
        mask = [1] * count + [0] * (fixed - count)
        ids = ids + [ids[0]] * (fixed - count)
        types = None if types is None else types + [0] * (fixed - count)
    graph = imported.read.reference if of is None else of
    results = run_onnx(graph, onnx.inputs.feed(ids, mask, types), list(imported.outputs.values()))
    values = {ours: np.asarray(results[name])[0] for ours, name in imported.outputs.items()}
    if imported.pooling is None:
        # Logits of tokens: those of padding are left out.
        return {name: value[:count] if value.ndim == 2 else value for name, value in values.items()}
    rows = values["embedding"][:count]
    pooled = rows.mean(axis=0) if imported.pooling == "mean" else rows[0]
    return {"embedding": pooled / max(np.linalg.norm(pooled), SMALLEST_LENGTH) if imported.normalized else pooled}
