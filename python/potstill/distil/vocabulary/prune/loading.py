"""An edited ``tokenizer.json`` as a tokenizer of transformers that is checked to be just that.

Tokenizer classes rebuild parts of the file when they load it: XLM-R's makes normalizer and pre-tokenizer itself.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from potstill.errors import TrainError
from potstill.models.hub import quiet_loading

# Files that hold the vocabulary a second time.
_STALE = (
    "vocab.txt", "vocab.json", "merges.txt", "added_tokens.json", "special_tokens_map.json", "spiece.model",
    "sentencepiece.bpe.model", "tokenizer.model",
)  # fmt: skip
# Texts on which the class must give what the file says.
_PROBES = (
    "",
    "the light is on",
    "Unaffable caf\u00e9s, 1999!",
    "\u4e2d\u6587 \U0001f600 \u00e5\u0301x",
    "[CLS] ##ing [MASK] <s>",
)


def load_pruned(tokenizer: Any, content: Mapping[str, Any], name: str) -> Any:
    """A tokenizer like `tokenizer` that does what `content`, of a ``tokenizer.json``, says, saved and loaded again too.

    Its class is that of `tokenizer` if that one keeps to the file, else `PreTrainedTokenizerFast`.

    Raises:
        TrainError: neither does.
    """
    for class_name in (None, "PreTrainedTokenizerFast"):
        with tempfile.TemporaryDirectory() as folder, quiet_loading():
            try:
                pruned = _loaded(tokenizer, content, Path(folder, "edited"), class_name)
                pruned.name_or_path = name
                pruned.init_kwargs.pop("name_or_path", None)
                pruned.save_pretrained(Path(folder, "saved"))
                again = AutoTokenizer.from_pretrained(str(Path(folder, "saved")), local_files_only=True)
            except Exception:  # `tokenizers` raises plain Exception where a class counts on a piece that went
                continue
        if _is(pruned, content) and _is(again, content):
            return pruned
    raise TrainError(
        "T062",
        f"the pruned {type(tokenizer).__name__} gives other ids than it should",
        name,
        "set student.vocabulary to 'full', and report this tokenizer",
    )


def _loaded(tokenizer: Any, content: Mapping[str, Any], folder: Path, class_name: str | None) -> Any:
    tokenizer.save_pretrained(folder)
    for stale in _STALE:
        (folder / stale).unlink(missing_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    # The table of added tokens by their old ids; tokenizer.json has the new.
    for key in ("added_tokens_decoder", "name_or_path", "tokenizer_file", "vocab_file", "merges_file"):
        settings.pop(key, None)
    if class_name is not None:
        settings["tokenizer_class"] = class_name
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, ensure_ascii=False), encoding="utf-8")
    return AutoTokenizer.from_pretrained(str(folder), local_files_only=True)


def _is(found: Any, content: Mapping[str, Any]) -> bool:
    """Whether a tokenizer is the described one, part by part, and its class adds nothing of its own."""
    from tokenizers import Tokenizer

    asked = Tokenizer.from_str(json.dumps(content))
    theirs, ours = json.loads(found.backend_tokenizer.to_str()), json.loads(asked.to_str())
    parts = ("added_tokens", "normalizer", "pre_tokenizer", "post_processor", "model")
    return all(theirs[part] == ours[part] for part in parts) and all(
        found(text)["input_ids"] == asked.encode(text).ids for text in _PROBES
    )
