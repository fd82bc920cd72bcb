"""Named and default sizes of students: one table. A recipe's own keys win over the preset's."""

from __future__ import annotations

from typing import Any

# Width of a factorized token table unless the recipe says otherwise, as in ALBERT; never over the hidden size.
FACTORIZED_SIZE = 128

# Transformer sizes keep the teacher's head size of 32 where they can (MiniLM: 384 in 12 heads), or the published shape.
PRESETS: dict[str, dict[str, Any]] = {
    # TinyBERT (Jiao et al., 2020), the 14.5 M shape.
    "tinybert-4l-312": {"architecture": "bert", "layers": 4, "hidden": 312, "heads": 12, "intermediate": 1200},
    # MiniLM's width (Wang et al., 2020) at half the depth of its six-layer model.
    "minilm-3l-384": {"architecture": "bert", "layers": 3, "hidden": 384, "heads": 12, "intermediate": 1536},
    "2l-256": {"architecture": "bert", "layers": 2, "hidden": 256, "heads": 8, "intermediate": 1024},
    "2l-128": {"architecture": "bert", "layers": 2, "hidden": 128, "heads": 4, "intermediate": 512},
    "static-256": {"architecture": "static", "hidden": 256},
}


def with_preset(keys: Any) -> Any:
    """The keys of a ``[student]`` section with those its preset names and it leaves out; anything else as it is."""
    name = keys.get("preset") if isinstance(keys, dict) else None
    if not isinstance(name, str) or name not in PRESETS:
        return keys
    return {**PRESETS[name], **keys}
