"""The files of one model that the compared engines load, all made from its ONNX file and its classifier folder.

They are kept in the cache under the hash of both, with the version of what made them in their names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import potstill
from potstill.errors import InputError, missing_package
from potstill.work.atomic import atomic_folder, atomic_write
from potstill.work.contents import file_sha256

# What is made from the classifier folder; the rest is made from the ONNX file or is that file.
FROM_STUDENT = frozenset({"pytorch", "tflite", "tflite_int8", "ctranslate2", "executorch", "executorch_int8"})
# Package whose version names the file, and the file's ending; a key without a line here is a file of the user's.
_MADE = {
    "still_fp32": ("potstill", ".still"),
    "still_int8": ("potstill", ".still"),
    "onnx_int8": ("onnxruntime", ".onnx"),
    "tflite": ("litert-torch", ".tflite"),
    "tflite_int8": ("ai-edge-quantizer", ".tflite"),
    "ctranslate2": ("ctranslate2", ""),
    "openvino_int8": ("nncf", ".xml"),
    "executorch": ("executorch", ".pte"),
    "executorch_int8": ("executorch", ".pte"),
}


@dataclass(frozen=True)
class Source:
    """A model in the forms that everything else is made from.

    Attributes:
        still: the `.still` file.
        scheme: its scheme.
        onnx: the fp32 ONNX file, or None.
        student: the classifier folder with the same weights, or None.
        max_tokens: longest sentence, specials included.
        vocabulary: number of token ids.
        lengths: static lengths of LiteRT's file.
        cache: folder for what is made.
        why_no_student: why `student` is None.
    """

    still: Path
    scheme: str
    onnx: Path | None
    student: Path | None
    max_tokens: int
    vocabulary: int
    lengths: tuple[int, ...]
    cache: Path
    why_no_student: str = ""


def find(still: Path, lengths: tuple[int, ...], cache: Path, student: Path | None = None) -> Source:
    """Look for the ONNX file and the classifier folder of a `.still` file.

    The ONNX file lies beside it under the same stem, without ``.int8`` or ``.fp32`` if need be; the classifier folder
    is `student`, else ``student/`` beside it, and counts only when it holds the ONNX file's weights.

    Raises:
        FormatError: `still` is not a `.still` file.
        InputError: the file was compiled from another ONNX file than the one beside it.
    """
    from potstill.runtime.backends import open_backend

    info = open_backend("native", still, 1).info
    stem = still.name.removesuffix(".still")
    stems = [stem, stem.rpartition(".")[0]] if "." in stem else [stem]
    onnx = next((path for name in stems if (path := still.with_name(f"{name}.onnx")).is_file()), None)
    known = dict(info.get("provenance", {})).get("onnx_sha256")
    if onnx is not None and known and known != file_sha256(onnx):
        raise InputError(
            "I066",
            "the model was compiled from another ONNX file than this one",
            str(onnx),
            "export and compile again",
        )
    folder, why = _student(student or still.parent / "student", onnx)
    longest = int(info["max_tokens"])
    digest = hashlib.sha256(file_sha256(onnx or still).encode())
    if folder is not None:
        digest.update(file_sha256(folder / "model.safetensors").encode())
    return Source(
        still=still,
        scheme=str(info["scheme"]),
        onnx=onnx,
        student=folder,
        max_tokens=longest,
        vocabulary=int(info["vocabulary"]),
        lengths=tuple(sorted({min(length, longest) for length in lengths})),
        cache=cache / "bench" / digest.hexdigest()[:16],
        why_no_student=why,
    )


def _student(folder: Path, onnx: Path | None) -> tuple[Path | None, str]:
    """The classifier folder when it holds the weights of the ONNX file, and otherwise why not."""
    if not (folder / "config.json").is_file() or not (folder / "model.safetensors").is_file():
        return None, f"it is converted from the classifier folder, and there is none at {folder} (give --student DIR)"
    if onnx is None:
        return folder, ""
    try:
        same = same_weights(folder / "model.safetensors", onnx)
    except ImportError:
        return None, "the package onnx is needed to compare the classifier folder with the ONNX file"
    return (folder, "") if same else (None, f"{folder} holds other weights than {onnx.name}")


def same_weights(weights: Path, onnx: Path) -> bool:
    """Whether most tensors of a safetensors file are in an ONNX file, as they are or transposed.

    Not all of them: exporters add up embedding tables and drop what is not used.
    """
    import numpy
    from onnx import load, numpy_helper
    from safetensors.numpy import load_file

    def digest(value: Any) -> bytes:
        return hashlib.sha256(numpy.ascontiguousarray(value, dtype=numpy.float32).tobytes()).digest()

    found = {digest(numpy_helper.to_array(entry)) for entry in load(str(onnx)).graph.initializer}
    tensors = list(load_file(weights).values())
    hits = sum(digest(value) in found or digest(value.T) in found for value in tensors)
    return 2 * hits > len(tensors)


def path_of(source: Source, key: str) -> Path:
    """The file of `key` for this model, whether made yet or not.

    Raises:
        InputError: the model lacks the ONNX file or the classifier folder it is made from.
        SystemFailure: the package that makes it is not installed.
    """
    if key == "still":
        return source.still
    needed = source.student if key in FROM_STUDENT else source.onnx
    if needed is None:
        why = source.why_no_student if key in FROM_STUDENT else f"there is no ONNX file beside {source.still}"
        raise InputError("I062", why, f"{key} of {source.still.name}", "put it there")
    if key not in _MADE:
        return needed
    package, ending = _MADE[key]
    try:
        made_by = potstill.__version__ if package == "potstill" else version(package)
    except PackageNotFoundError as error:
        raise missing_package(package, "peers", f"making {key}") from error
    name = f"{key}-{made_by}"
    if key.startswith("tflite"):
        name += "-" + "-".join(map(str, source.lengths))
    return source.cache / f"{name}{ending}"


def make(source: Source, key: str) -> Path:
    """Make the file of `key`, unless it is there. Heavy: call it in a process of its own.

    Raises:
        PotstillError: as `path_of`, and as the maker.
    """
    path = path_of(source, key)
    if key not in _MADE or path.exists():
        return path
    maker = _makers()[key]
    if not _MADE[key][1]:
        with atomic_folder(path) as folder:
            maker(source, folder)
    elif key == "openvino_int8":
        _make_openvino(source, path)
    else:
        with atomic_write(path) as temporary:
            maker(source, temporary)
    return path


def _makers() -> dict[str, Callable[[Source, Path], object]]:
    def peer(name: str) -> Any:
        return import_module(f"potstill.compare.peers.{name}")

    return {
        "still_fp32": lambda source, out: _compile(source, out, "fp32"),
        "still_int8": lambda source, out: _compile(source, out, "int8"),
        "onnx_int8": _quantize_onnx,
        "tflite": _convert_tflite,
        "tflite_int8": _quantize_tflite,
        "ctranslate2": lambda source, out: peer("ctranslate2").convert(source.student, out),
        "openvino_int8": lambda source, out: peer("openvino").convert_int8(source.onnx, out),
        "executorch": lambda source, out: peer("executorch").convert(source.student, out, int8=False),
        "executorch_int8": lambda source, out: peer("executorch").convert(source.student, out, int8=True),
    }


def _make_openvino(source: Source, path: Path) -> None:
    """Two files, the graph naming its weights: the weights take their name first, so the graph is never alone."""
    with atomic_folder(path.with_suffix(".work")) as folder:
        _makers()["openvino_int8"](source, folder / path.name)
    work = path.with_suffix(".work")
    weights = path.with_suffix(".bin")
    (work / weights.name).replace(weights)
    (work / path.name).replace(path)
    work.rmdir()


def _compile(source: Source, out: Path, scheme: str) -> None:
    from potstill.compile import compile_onnx

    assert source.onnx is not None
    compile_onnx(source.onnx, out, scheme=scheme, name=source.still.stem, max_tokens=source.max_tokens)


def _quantize_onnx(source: Source, out: Path) -> None:
    from potstill.export.onnx import quantize_onnx_int8

    assert source.onnx is not None
    quantize_onnx_int8(source.onnx, out)


def _convert_tflite(source: Source, out: Path) -> None:
    from potstill.export.tflite import export_tflite

    assert source.student is not None
    export_tflite(source.student, out, length=source.lengths[-1], short_lengths=source.lengths[:-1])


def _quantize_tflite(source: Source, out: Path) -> None:
    from potstill.export.tflite import quantize_tflite_int8

    quantize_tflite_int8(make(source, "tflite"), out)
