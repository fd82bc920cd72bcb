"""From the recipe's `[data]` section to splits: which source is meant, what identifies its content, its rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from potstill.data import corpora, files, hub
from potstill.data.columns import Wanted
from potstill.data.labels import Raw, check_texts, class_ids, class_names, tidy_labels
from potstill.data.splits import Rows, Splits, make_splits, quiet_datasets
from potstill.data.tagging import scheme
from potstill.data.units import cut_further, with_units
from potstill.data.words import check_words, split_words
from potstill.errors import DataError
from potstill.recipe.base import resolve
from potstill.work.contents import file_digest
from potstill.work.progress import Progress, QuietProgress

if TYPE_CHECKING:
    from potstill.recipe.schema import Data

_HUB_ID = re.compile(r"^[\w.-]+(/[\w.-]+)?$")
_PARTS = ("train", "validation", "test")
# What the files of a folder are called.
_STEMS = {"train": ("train", "training"), "validation": ("validation", "valid", "val", "dev"), "test": ("test",)}


def read_classes(raws: Mapping[str, Raw], data: Data) -> tuple[list[str], dict[str, list[Any]]]:
    """One class a row: names and ids."""
    tidy = tidy_labels(raws, data.labels)
    names = class_names(tidy["train"], data.labels)
    ordered = data.labels is not None or tidy["train"].names is not None
    return names, {part: class_ids(raw, names, ordered=ordered) for part, raw in tidy.items()}


class Labelling(Protocol):
    """What reading asks of a task (`potstill.models.heads`)."""

    labelled: ClassVar[bool]
    words: ClassVar[bool]

    def read_labels(self, raws: Mapping[str, Raw], data: Data) -> tuple[list[str], dict[str, list[Any]]]:
        """Label names and each split's label column, out of the rows as read."""


class Classes:
    """One class a text."""

    labelled: ClassVar[bool] = True
    words: ClassVar[bool] = False

    def read_labels(self, raws: Mapping[str, Raw], data: Data) -> tuple[list[str], dict[str, list[Any]]]:
        """As `read_classes`."""
        return read_classes(raws, data)


def load_data(
    data: Data, *, seed: int, cache: Path, progress: Progress | None = None, task: Labelling | None = None
) -> Splits:
    """All rows of a recipe's data, checked, deduplicated and split.

    Args:
        data: the recipe's `[data]` section.
        seed: of the split.
        cache: folder for downloads and converted copies.
        task: reads the label columns; None: one class a text. Without labels of its own, the label column may be
            missing and the data may have one class only. Of words, texts are lists of words or characters
            (`with_units`) and labels lists of tags; unlabelled texts are cut as the model will cut them.
    Raises:
        DataError: D0xx, see the functions this calls.
    """
    shown, task = progress or QuietProgress(), task or Classes()
    with quiet_datasets():
        raws = _read(data, cache, shown, task.labelled)
        for raw in raws.values():
            for note in raw.notes:
                shown.message(f"data: {Path(raw.where).name}: {note}")
        units = ""
        if task.words:
            raws, units = with_units(raws, data.units)
        if task.words and (tags := scheme(row for row in raws["train"].labels or [] if _are_names(row))):
            shown.message(f"data: the tags spell entities as {tags}")
        check: Callable[[Raw, str], list[Any]] = check_words if task.words else check_texts
        texts = {part: check(raw, data.text) for part, raw in raws.items()}
        if task.words:
            shown.message(f"data: {_told(units, texts['train'])}")
        names, ids = task.read_labels(raws, data)
        pairs = {
            part: check_texts(raw, data.text_pair, second=True) if data.text_pair is not None else None
            for part, raw in raws.items()
        }
        given = {part: Rows(texts[part], ids[part], pairs[part]) for part in raws}
        unlabelled: list[Any] | None = None
        if data.unlabelled:
            unlabelled = []
            for source in data.unlabelled:
                raw = _read_texts(source, data, cache, shown)
                unlabelled += split_words(raw, data.text, units) if task.words else check_texts(raw, data.text)
        return make_splits(
            given,
            unlabelled,
            names,
            split=data.split,
            seed=seed,
            limit=data.limit,
            where=data.source,
            note=shown.message,
            classes=task.labelled,
            units=units,
        )


def _told(units: str, rows: Sequence[Sequence[str]]) -> str:
    """What a tagger of these rows makes of a text."""
    if units == "characters":
        return "rows of characters: a text is cut into its characters"
    if units == "given":
        return "rows of words that no rule finds: the model takes lists of words, no texts (data.units)"
    share, some = cut_further(rows)
    told = "rows of words: a text is cut at white space, punctuation and characters of scripts without spaces"
    shown = ", ".join(repr(word) for word in some)
    return f"{told}; that parts {100 * share:.1f} % of the training words further ({shown})" if some else told


def _are_names(row: Any) -> bool:
    return isinstance(row, list | tuple) and all(isinstance(tag, str) for tag in row)


def source_identity(data: Data, *, labelled: bool = True) -> dict[str, str]:
    """What the content of each source is known by, without reading it into memory: the key of the data stage.

    Local files: their format and a digest of their bytes, wherever they lie. Demo corpora: the pinned package's
    SHA-256. Hub data sets: names only, so a data set that changes on the hub is not noticed until the stage's folder is
    deleted.

    Raises:
        DataError: missing file; no such demo corpus.
    """
    found: dict[str, str] = {}
    sources = {"data.source": data.source}
    sources |= {f"data.unlabelled[{number}]": source for number, source in enumerate(data.unlabelled)}
    for key, source in sources.items():
        main = key == "data.source"
        if source.startswith("demo:"):
            found[key] = f"{source} {corpora.package_of(source, labelled=labelled and main).sha256}"
        elif _is_local(source, data):
            for part, path in _local_files(source, data, labelled=main).items():
                found[f"{key} {part}"] = f"{path.suffix.lower()} {_digest(path)}"
        else:
            found[key] = f"hub {source}"
            if main:
                found |= {f"data.{part}": name for part in _PARTS if (name := getattr(data, part)) is not None}
    return found


def _is_local(source: str, data: Data) -> bool:
    path = resolve(source, data.base)
    return path.exists() or path.suffix.lower() in files.SUFFIXES or not _HUB_ID.match(source)


def _local_files(source: str, data: Data, *, labelled: bool) -> dict[str, Path]:
    """Which file each split is read from; a folder as source needs `data.train` to name a file in it."""
    path = resolve(source, data.base)
    if not labelled:
        return {"unlabelled": path}
    named = {part: name for part in _PARTS if (name := getattr(data, part)) is not None}
    if not path.is_dir():
        found = {"train": path}
        found.update({part: _beside(path.parent, name, data) for part, name in named.items()})
        return found
    if "train" not in named:
        # A folder in the usual layout: train.csv, validation.csv, test.csv.
        there = sorted(p for p in path.iterdir() if p.is_file() and p.suffix.lower() in files.SUFFIXES)
        for part in _PARTS:
            fitting = [p.name for p in there if p.stem.lower() in _STEMS[part]]
            if part not in named and len(fitting) > 1:
                raise DataError(
                    "D056",
                    f"{len(fitting)} files could hold the {part} rows: {', '.join(fitting)}",
                    str(path),
                    "keep one of them in the folder, or name the files in data.train, data.validation and data.test",
                )
            if part not in named and fitting:
                named[part] = fitting[0]
    if "train" not in named:
        inside = ", ".join(sorted(p.name for p in path.iterdir())[:12]) or "nothing"
        raise DataError(
            "D001", "the data folder has no train file", f"{path} holds {inside}", "name the file in data.train"
        )
    return {part: _beside(path, name, data) for part, name in named.items()}


def _beside(folder: Path, name: str, data: Data) -> Path:
    return folder / name if (folder / name).exists() else resolve(name, data.base)


def _digest(path: Path) -> str:
    if not path.is_file():
        raise files.no_file(path)
    return file_digest(path)


def _read(data: Data, cache: Path, progress: Progress, labelled: bool) -> dict[str, Raw]:
    """The splits that the data has; without the label column when that is missing and not needed."""
    try:
        return _read_column(data, data.label, cache, progress)
    except DataError as error:
        # A plain text file, a table without that column, a corpus without labels.
        if labelled or error.code not in ("D003", "D013", "D018"):
            raise
        return _read_column(data, None, cache, progress)


def _read_column(data: Data, label: str | None, cache: Path, progress: Progress) -> dict[str, Raw]:
    source = data.source
    if source.startswith("demo:"):
        if data.text_pair is not None:
            raise DataError("D031", "a demo corpus has no pairs of texts", "data.text_pair", "remove the key")
        for part in _PARTS:
            if getattr(data, part) is not None:
                raise DataError(
                    "D017",
                    "a demo corpus has no files or splits to name",
                    f"data.{part}",
                    "remove the key; data.split deals the rows, or they come dealt",
                )
        return corpora.read_demo(source, cache, labelled=label is not None, progress=progress)
    if _is_local(source, data):
        paths = _local_files(source, data, labelled=True)
        what = Wanted(data.text, label, data.text_pair, data.separator, data.encoding)
        return {part: _read_part(part, path, what, data) for part, path in paths.items()}
    wanted = {part: getattr(data, part) for part in _PARTS}
    return hub.read_hub(source, data.config, wanted, data.text, label, progress, data.text_pair)


def _read_part(part: str, path: Path, what: Wanted, data: Data) -> Raw:
    try:
        return files.read_file(path, what)
    except DataError as error:
        if error.code != "D003" or part == "train":
            raise
        step = f"name its columns as in the training file; {_without(part, data)}"
        raise DataError("D003", error.what, error.where, step) from error


def _without(part: str, data: Data) -> str:
    """How the rows of a split are taken out of the training rows instead."""
    if getattr(data, part) is not None:
        return f"without data.{part}, the {part} rows are taken out of the training rows"
    return f"with the training file itself as data.source, the {part} rows are taken out of it"


def _read_texts(source: str, data: Data, cache: Path, progress: Progress) -> Raw:
    if source.startswith("demo:"):
        return corpora.read_demo(source, cache, labelled=False, progress=progress)["train"]
    if _is_local(source, data):
        what = Wanted(data.text, None, None, data.separator, data.encoding)
        return files.read_file(resolve(source, data.base), what)
    return hub.read_hub(source, None, {"train": None}, data.text, None, progress)["train"]
