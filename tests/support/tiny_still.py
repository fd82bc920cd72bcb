"""Writes a tiny model file: one attention layer of random weights and a one-letter vocabulary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

# A wide inner layer: a chunk of 256 tokens is then enough work for several threads (cpp/src/parallel/threads.h).
WIDTH, INNER, LABELS, VOCABULARY, MAX_TOKENS = 24, 1024, ("bad", "so-so", "good"), 40, 12
LETTERS = "abcdefghijklmnopqrstuvwxyz"
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *LETTERS, *(f"##{letter}" for letter in LETTERS[: VOCABULARY - 30])]


class Writer:
    """Collects tensors, values and ops of a file."""

    def __init__(self, seed: int) -> None:
        import numpy as np

        from potstill.still.schema import fb, made

        self.random = np.random.default_rng(seed)
        self.model = made(fb.ModelT, tensors=[], values=[], ops=[], heads=[])
        self.sections: list[Any] = []

    def tensor(self, name: str, data: Any, layout: str = "row_major", shape: tuple[int, ...] | None = None) -> int:
        from potstill.still.schema import fb, made, words

        dtype = words(fb.DType)[{"float32": "f32", "int8": "i8", "int32": "i32", "uint8": "u8"}[str(data.dtype)]]
        number = words(fb.Layout)[layout]
        self.model.tensors.append(made(fb.TensorT, name=name, dtype=dtype, layout=number, shape=shape or data.shape))
        self.sections.append(data)
        return len(self.sections) - 1

    def floats(self, name: str, *shape: int, scale: float = 1.0, shift: float = 0.0) -> int:
        return self.tensor(name, (self.random.standard_normal(shape) * scale + shift).astype("<f4"))

    def op(
        self, name: str, table: str, width: int, inputs: tuple[int, ...], rows: str = "tokens", **fields: Any
    ) -> int:
        from potstill.still.schema import fb, made, words

        output = len(self.model.values)
        self.model.values.append(made(fb.ValueT, name=name, rows=words(fb.Rows)[rows], width=width))
        kind, body = getattr(fb.OpBody, table), made(getattr(fb, f"{table}T"), **fields)
        self.model.ops.append(made(fb.OpT, name=name, bodyType=kind, body=body, inputs=list(inputs), output=output))
        return output

    def head(self, name: str, table: str, value: int, labels: tuple[str, ...] = (), **fields: Any) -> None:
        from potstill.still.schema import fb, made

        body, number = made(getattr(fb, f"{table}T"), **fields), getattr(fb.HeadBody, table)
        self.model.heads.append(made(fb.HeadT, name=name, value=value, bodyType=number, body=body, labels=list(labels)))

    def linear(self, name: str, n: int, k: int, inputs: tuple[int, ...], rows: str = "tokens", **fields: Any) -> int:
        import numpy as np

        from potstill.still import pack
        from potstill.still.schema import fb, words

        codes = {
            "inputQuant": words(fb.InputQuant)[fields.get("input_quant", "symmetric")],
            "activation": words(fb.Activation)[fields.get("activation", "none")],
        }
        weight = self.random.integers(-127, 128, (n, k)).astype(np.int8)
        return self.op(
            name,
            "Linear",
            n,
            inputs,
            rows,
            weightT=self.tensor(f"{name}.weight", pack.pack_i8_n4k16(weight), "pack_i8n4k16", (n, k)),
            scaleT=self.tensor(f"{name}.scale", np.full(n, 0.015 / k**0.5, "<f4")),
            colsumT=self.tensor(f"{name}.colsum", weight.sum(1, dtype=np.int32)),
            biasT=self.floats(f"{name}.bias", n, scale=0.1),
            **codes,
        )

    def norm(self, name: str, x: int) -> int:
        gamma, beta = (
            self.floats(f"{name}.gamma", WIDTH, scale=0.1, shift=1),
            self.floats(f"{name}.beta", WIDTH, scale=0.1),
        )
        return self.op(name, "LayerNorm", WIDTH, (x,), gammaT=gamma, betaT=beta, eps=1e-12)


def _tokenizer(writer: Writer) -> Any:
    import numpy as np

    from potstill.still.schema import fb, made

    slots = np.full(128, -1, np.int32)
    for number, piece in enumerate(PIECES):
        state = 2166136261
        for byte in piece.encode():
            state = (state ^ byte) * 16777619 & 0xFFFFFFFF
        slot = state % 128
        while slots[slot] != -1:
            slot = (slot + 1) % 128
        slots[slot] = number
    vocabulary = made(
        fb.VocabularyT,
        textT=writer.tensor("text", np.frombuffer("".join(PIECES).encode(), np.uint8).copy()),
        offsetsT=writer.tensor("offsets", np.cumsum([0, *(len(piece) for piece in PIECES)]).astype(np.int32)),
        slotsT=writer.tensor("slots", slots),
    )
    bert = made(fb.BertNormalizerT, lowercase=True, stripAccents=True, cleanText=True, handleChineseChars=True)
    cls, first, sep = ({"id": 2}, {"part": fb.Part.First}, {"id": 3})
    second = ({"part": fb.Part.Second, "type": 1}, {"id": 3, "type": 1})
    return made(
        fb.TokenizerT,
        vocabulary=vocabulary,
        normalizers=[made(fb.NormalizerT, bodyType=fb.NormalizerBody.BertNormalizer, body=bert)],
        preTokenizers=[
            made(fb.PreTokenizerT, bodyType=fb.PreTokenizerBody.BertPreTokenizer, body=fb.BertPreTokenizerT())
        ],
        modelType=fb.TokenizerModel.WordPiece,
        model=made(fb.WordPieceT, unkId=1, continuingPrefix="##"),
        single=[made(fb.TemplatePartT, **part) for part in (cls, first, sep)],
        pair=[made(fb.TemplatePartT, **part) for part in (cls, first, sep, *second)],
        padId=0,
    )


def write_model(
    out: Path,
    *,
    tokenizer: bool = True,
    head: bool = True,
    seed: int = 1,
    vocabulary: int = VOCABULARY,
    multi_label: bool = False,
    pairs: bool = False,
    per_token: bool = False,
    labels: tuple[str, ...] = LABELS,
    outputs: int = len(LABELS),
    score: str = "",
    units: str = "words",
    forbidden_ids: tuple[int, ...] = (),
) -> Path:
    """Write the tiny model to `out`; its second token type is far from the first."""
    import numpy as np

    from potstill.still.packed import PackedModel
    from potstill.still.schema import fb, made, words
    from potstill.still.writer import write_still

    w = Writer(seed)
    rows = {
        "wordT": w.floats("word", vocabulary, WIDTH),
        "positionT": w.floats("position", MAX_TOKENS, WIDTH, scale=0.5),
    }
    if pairs:
        rows["typeT"] = w.tensor("type", np.linspace([0] * WIDTH, [-1, 1] * (WIDTH // 2), 2).astype("<f4"))
    x = w.norm("first", w.op("embedding", "Embedding", WIDTH, (), **rows))
    context = w.op("attention", "Attention", WIDTH, (w.linear("qkv", 3 * WIDTH, WIDTH, (x,)),), heads=2)
    x = w.norm("second", w.linear("out", WIDTH, WIDTH, (context, x)))
    up = w.linear("up", INNER, WIDTH, (x,), activation="gelu")
    x = w.norm("third", w.linear("down", WIDTH, INNER, (up, x), input_quant="asymmetric"))
    if per_token:
        w.head("tags", "Tags", w.linear("head", outputs, WIDTH, (x,)), labels, units=words(fb.Units)[units])
    else:
        pooled = w.op("pool", "Pool", WIDTH, (x,), "sequences", kind=fb.PoolKind.Mean)
        if head:
            logits = w.linear("head", outputs, WIDTH, (pooled,), "sequences")
            if score:
                w.head("score", "Score", logits, kind=words(fb.ScoreKind)[score])
            else:
                w.head("classes", "MultiLabel" if multi_label else "Classes", logits, labels)
        w.head("vector", "Vector", pooled)
    w.model.card = made(
        fb.CardT,
        name="tiny",
        task="token-classification" if per_token else "text-classification",
        scheme="int8",
        producer="tests",
        license="CC0-1.0",
        provenance=[made(fb.KeyValueT, key="recipe", value="abc")],
    )
    w.model.inputType = fb.Input.TokenIds
    w.model.input = made(fb.TokenIdsT, maxTokens=MAX_TOKENS, forbiddenIds=list(forbidden_ids) or None)
    w.model.tokenizer = _tokenizer(w) if tokenizer else None
    write_still(PackedModel(w.model, w.sections), out)
    return out
