"""What boards tokenize: files of tokenizers in every form, and what Hugging Face's library makes of texts with each.

``python -m toolchains.emulate.tokens FOLDER`` writes ``NAME.still`` for each shape, and ``expected.json``: texts, and
by name the ids and the places of each text. No core is needed; boards compare theirs (tests/emulated).
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

from tokenizers import Tokenizer

from potstill.compile.tokenizers import tables_from_json
from toolchains.tokenizers.native import still_of
from toolchains.tokenizers.shapes import shapes
from toolchains.tokenizers.texts import SENTENCES, random_text

RANDOM = 200


def main(out: Path) -> None:
    """Write the files into the folder `out`."""
    rng = random.Random(31)
    texts = [*SENTENCES, *(random_text(rng) for _ in range(RANDOM))]
    expected = {}
    for name, content in shapes(SENTENCES * 3):
        (out / f"{name}.still").write_bytes(still_of(tables_from_json(content, where=name)))
        encodings = Tokenizer.from_str(json.dumps(content)).encode_batch(texts, add_special_tokens=False)
        expected[name] = [[encoding.ids, encoding.offsets] for encoding in encodings]
    content = {"texts": texts, "expected": expected}
    (out / "expected.json").write_text(json.dumps(content), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
