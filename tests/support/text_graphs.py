"""Hand-written ONNX encoders that read their token ids or the length in other ways than most: tests of being right or
refused. One layer of attention between uses that are the arguments here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper

from onnx_graphs import CLASSES, VOCABULARY, WIDTH, Builder, attend, linear, linear2, norm, pool

Step = Callable[[Builder, str], str]
INT64, FLOAT, BOOL = TensorProto.INT64, TensorProto.FLOAT, TensorProto.BOOL


def integer(b: Builder, value: int) -> str:
    return b.const(value, np.int64)


def length_of(b: Builder) -> str:
    """The number of tokens, int64 [1]."""
    return b.op("Shape", "input_ids", start=1)


def is_id(b: Builder, value: int) -> str:
    return b.op("Equal", "input_ids", integer(b, value))


def counted(b: Builder, flags: str, kind: int = INT64) -> str:
    return b.op("Cast", flags, to=kind)


def model(path: Path, *, rows: int = 64, **o: Any) -> Path:
    """Options, each a step (Builder, tokens x) -> x: `types` adds to the embeddings, `scores` changes the attention's
    bias, `inner` the tokens after the layer, `pool` makes [1, WIDTH] of them; `positions` gives place numbers."""
    b = Builder(o.get("seed", 0))
    word = b.op("Gather", o.get("table", same)(b, b.weight(VOCABULARY, WIDTH)), "input_ids")
    place = o.get("positions", arange)(b, word)
    x = b.op("Add", word, b.op("Gather", b.weight(rows, WIDTH), place))
    x = o.get("types", same)(b, x)
    if o.get("pairs", False):
        x = b.op("Add", x, b.op("Gather", b.weight(2, WIDTH), "token_type_ids"))
    x = norm(b, x)
    context = attend(b, x, "attention_mask", **({"bias": o["scores"]} if "scores" in o else {}))
    x = norm(b, b.op("Add", linear(b, context, WIDTH, WIDTH), x))
    x = o.get("inner", same)(b, x)
    pooled = o.get("pool", mean)(b, x)
    logits = linear2(b, pooled, WIDTH, CLASSES)
    inputs = {"input_ids": INT64, "attention_mask": INT64, **({"token_type_ids": INT64} if o.get("pairs") else {})}
    shape = {"shape": [1, o["fixed"]]} if "fixed" in o else {}
    return b.save(path, {"logits": o.get("head", same)(b, logits)}, inputs, **shape)


def same(b: Builder, x: str) -> str:
    return x


def cast_table(b: Builder, table: str) -> str:
    """As halves are stored by some exporters, and scaled as Transformer's are."""
    return b.op("Mul", b.op("Cast", table, to=FLOAT), b.const(1.5))


def mean(b: Builder, x: str) -> str:
    return pool(b, x, "attention_mask", "mean")


def first(b: Builder, x: str) -> str:
    return pool(b, x, "attention_mask", "cls")


def arange(b: Builder, x: str) -> str:
    return b.op("Range", integer(b, 0), b.op("Squeeze", length_of(b)), integer(b, 1))


# --- uses of ids ---


def at_place(b: Builder, x: str, place: str) -> str:
    """The token at place [1] of the text, [1, WIDTH]."""
    return b.op("Squeeze", b.op("Gather", x, place, axis=1), b.ints(1))


def pool_at(value: int) -> Step:
    """EOS pooling: the first token with this id."""
    return lambda b, x: at_place(b, x, b.op("ArgMax", counted(b, is_id(b, value)), axis=1, keepdims=0))


def pool_at_last(value: int) -> Step:
    """EOS pooling in the way of BART: the sum over the tokens with this id."""

    def step(b: Builder, x: str) -> str:
        flags = b.op("Unsqueeze", is_id(b, value), b.ints(2))
        return b.op("ReduceSum", b.op("Where", flags, x, b.const(0.0)), b.ints(1), keepdims=0)

    return step


def pool_by_weight(value: int) -> Step:
    def step(b: Builder, x: str) -> str:
        flags = b.op("Unsqueeze", counted(b, is_id(b, value), FLOAT), b.ints(2))
        return b.op("ReduceSum", b.op("Mul", x, flags), b.ints(1), keepdims=0)

    return step


def pool_at_the_largest(b: Builder, x: str) -> str:
    """As CLIP does: the end of a text has the largest id."""
    return at_place(b, x, b.op("ArgMax", "input_ids", axis=1, keepdims=0))


def pool_where(value: int) -> Step:
    """The first place that NonZero finds."""

    def step(b: Builder, x: str) -> str:
        places = b.op("NonZero", is_id(b, value))
        last = b.op("Slice", places, b.ints(1, 0), b.ints(2, 1), b.ints(0, 1))
        return at_place(b, x, b.op("Reshape", last, b.ints(1)))

    return step


def mean_without(value: int) -> Step:
    def step(b: Builder, x: str) -> str:
        flags = b.op("Unsqueeze", counted(b, b.op("Not", is_id(b, value)), FLOAT), b.ints(2))
        total = b.op("ReduceSum", b.op("Mul", x, flags), b.ints(1), keepdims=0)
        return b.op("Div", total, b.op("ReduceSum", flags, b.ints(1), keepdims=0))

    return step


def types_after(value: int) -> Step:
    """Token types made from separators: 0 up to the first, then 1."""

    def step(b: Builder, x: str) -> str:
        count = b.op("CumSum", counted(b, is_id(b, value)), integer(b, 1))
        return b.op("Add", x, b.op("Gather", b.weight(2, WIDTH, scale=1.0), b.op("Min", count, integer(b, 1))))

    return step


def mask_token(value: int) -> Step:
    """One id has an embedding of its own beside the table."""

    def step(b: Builder, x: str) -> str:
        return b.op("Where", b.op("Unsqueeze", is_id(b, value), b.ints(2)), b.weight(WIDTH, scale=1.0), x)

    return step


def positions_without(value: int) -> Step:
    """As RoBERTa does: places are counted over the ids that are not padding."""

    def step(b: Builder, x: str) -> str:
        real = counted(b, b.op("Not", is_id(b, value)))
        return b.op("Add", b.op("Mul", b.op("CumSum", real, integer(b, 1)), real), integer(b, value))

    return step


def scores_without(value: int) -> Step:
    """The padding is masked by its id."""

    def step(b: Builder, x: str) -> str:
        hidden = b.op("Unsqueeze", is_id(b, value), b.ints(1, 2))
        return b.op("Where", hidden, b.const(-1e9), x)

    return step


def id_at(place: int, value: int, length: int) -> Step:
    """One id at one place of a text of fixed length: compared with a number for each place."""

    def step(b: Builder, x: str) -> str:
        wanted = np.full((1, length), 10_000)
        wanted[0, place] = value
        flags = b.op(
            "Unsqueeze", b.op("Cast", b.op("Equal", "input_ids", b.const(wanted, np.int64)), to=FLOAT), b.ints(2)
        )
        return b.op("Add", x, b.op("Mul", flags, b.weight(WIDTH, scale=1.0)))

    return step


def by_arithmetic(value: int) -> Step:
    """ids == value, written as 1 - min(|ids - value|, 1)."""

    def step(b: Builder, x: str) -> str:
        far = b.op("Min", b.op("Abs", b.op("Sub", "input_ids", integer(b, value))), integer(b, 1))
        flags = b.op("Unsqueeze", b.op("Cast", b.op("Sub", integer(b, 1), far), to=FLOAT), b.ints(2))
        return b.op("Add", x, b.op("Mul", flags, b.weight(WIDTH, scale=1.0)))

    return step


def below(value: int) -> Step:
    """Ids below a bound get an addend."""

    def step(b: Builder, x: str) -> str:
        flags = b.op("Unsqueeze", b.op("Cast", b.op("Less", "input_ids", integer(b, value)), to=FLOAT), b.ints(2))
        return b.op("Add", x, b.op("Mul", flags, b.weight(WIDTH, scale=1.0)))

    return step


def parity(b: Builder, x: str) -> str:
    odd = b.op("Unsqueeze", b.op("Cast", b.op("Mod", "input_ids", integer(b, 2)), to=FLOAT), b.ints(2))
    return b.op("Add", x, b.op("Mul", odd, b.weight(WIDTH)))


def sum_of_ids(b: Builder, x: str) -> str:
    total = b.op("ReduceSum", b.op("Cast", "input_ids", to=FLOAT), b.ints(1), keepdims=1)
    return b.op("Add", x, b.op("Unsqueeze", b.op("Mul", total, b.const(1e-3)), b.ints(2)))


def one_hot(b: Builder, x: str) -> str:
    hot = b.op("OneHot", "input_ids", integer(b, VOCABULARY), b.const([0.0, 1.0]), axis=-1)
    return b.op("Add", x, b.op("MatMul", hot, b.weight(VOCABULARY, WIDTH)))


def several(*values: int) -> Step:
    """ids in a list, by a comparison with all of it."""

    def step(b: Builder, x: str) -> str:
        wide = b.op("Equal", b.op("Unsqueeze", "input_ids", b.ints(2)), b.const(values, np.int64))
        count = b.op("ReduceSum", b.op("Cast", wide, to=FLOAT), b.ints(2), keepdims=1)
        return b.op("Add", x, b.op("Mul", count, b.weight(WIDTH, scale=1.0)))

    return step


def repeats(b: Builder, x: str) -> str:
    """Neighbours with the same id."""
    rest = b.op("Slice", "input_ids", b.ints(1), b.ints(9999), b.ints(1))
    front = b.op("Slice", "input_ids", b.ints(0), b.ints(-1), b.ints(1))
    count = b.op("ReduceSum", b.op("Cast", b.op("Equal", rest, front), to=FLOAT), b.ints(1), keepdims=1)
    return b.op("Add", x, b.op("Unsqueeze", count, b.ints(2)))


# --- uses of the length ---


def window(size: int) -> Step:
    """Attention to at most `size` tokens away."""

    def step(b: Builder, x: str) -> str:
        spot = arange(b, x)
        apart = b.op("Abs", b.op("Sub", b.op("Unsqueeze", spot, b.ints(0)), b.op("Unsqueeze", spot, b.ints(1))))
        near = b.op("LessOrEqual", apart, integer(b, size))
        return b.op("Where", near, x, b.const(-1e9))

    return step


def log_scale(usual: float, *, capped: bool = False) -> Step:
    """Scores times log(length) / log(usual), as some long-context encoders have; `capped`: never below 1."""

    def step(b: Builder, x: str) -> str:
        scale = b.op("Div", b.op("Log", b.op("Cast", length_of(b), to=FLOAT)), b.const(np.log(usual)))
        return b.op("Mul", x, b.op("Max", scale, b.const(1.0)) if capped else scale)

    return step


def first_tokens(count: int) -> Step:
    """The mean of the first tokens only."""
    return lambda b, x: b.op("ReduceMean", b.op("Slice", x, b.ints(0), b.ints(count), b.ints(1)), axes=[1], keepdims=0)


def branch_on_length(bound: int, kind: str = "Greater") -> Step:
    """Negated logits for texts longer than `bound`."""

    def step(b: Builder, x: str) -> str:
        wide = b.op(kind, b.op("Squeeze", length_of(b)), integer(b, bound))
        branches = {}
        for name, op in (("then_branch", "Neg"), ("else_branch", "Identity")):
            value = helper.make_tensor_value_info(f"{name}_out", FLOAT, [None, None])
            branches[name] = helper.make_graph([helper.make_node(op, [x], [value.name])], name, [], [value])
        return b.op("If", wide, **branches)

    return step


def last_position(bound: int) -> Step:
    """Places beyond a bound share the last row."""
    return lambda b, x: b.op("Min", arange(b, x), integer(b, bound))


def doubled_if(condition: Step) -> Step:
    """Doubled logits for texts of some lengths: `condition` makes a flag of the length."""

    def step(b: Builder, x: str) -> str:
        flag = condition(b, b.op("Squeeze", length_of(b)))
        return b.op("Mul", x, b.op("Where", flag, b.const(2.0), b.const(1.0)))

    return step


def of_types(odd: int, size: int = 65) -> Step:
    """The stored flag for the number of tokens of the second type; true for one number."""

    def step(b: Builder, n: str) -> str:
        count = b.op("ReduceSum", "token_type_ids", keepdims=0)
        return b.op("Gather", b.const(np.arange(size) == odd, np.bool_), count)

    return step


def single_of(length: int) -> Step:
    """No second text, and so many tokens."""

    def step(b: Builder, n: str) -> str:
        count = b.op("ReduceSum", "token_type_ids", keepdims=0)
        alone = b.op("Equal", count, integer(b, 0))
        thrice = b.op("Equal", b.op("Mul", n, integer(b, 3)), integer(b, 3 * length))
        return b.op("And", alone, thrice)

    return step


def more_in_the_second(b: Builder, n: str) -> str:
    """More than three fifths of the tokens are the second text's."""
    second = b.op("Mul", b.op("ReduceSum", "token_type_ids", keepdims=0), integer(b, 5))
    return b.op("Greater", second, b.op("Mul", n, integer(b, 3)))


def within_segments(b: Builder, x: str) -> str:
    """Attention within a text of a pair only."""
    same_text = b.op("Equal", *(b.op("Unsqueeze", "token_type_ids", b.ints(axis)) for axis in (1, 2)))
    return b.op("Where", b.op("Unsqueeze", same_text, b.ints(1)), x, b.const(-1e9))


def different_ids(count: int) -> Step:
    """So many different ids: the size of what Unique gives."""

    def step(b: Builder, n: str) -> str:
        found = b.op("Squeeze", b.op("Shape", b.op("Unique", "input_ids")))
        return b.op("Equal", found, integer(b, count))

    return step


def without_id(value: int) -> Step:
    """One token has the id: the size of what NonZero gives, by arithmetic and a slice."""

    def step(b: Builder, n: str) -> str:
        places = b.op("Transpose", b.op("NonZero", b.op("Mod", "input_ids", integer(b, value))))
        return b.op("Equal", b.op("Squeeze", b.op("Shape", places, end=1)), b.op("Sub", n, integer(b, 1)))

    return step


def remainder(shift: int, divisor: int) -> Step:
    """(n + shift) % divisor == 0."""

    def step(b: Builder, n: str) -> str:
        rest = b.op("Mod", b.op("Add", n, integer(b, shift)), integer(b, divisor))
        return b.op("Equal", rest, integer(b, 0))

    return step


def between(low: float, high: float) -> Step:
    def step(b: Builder, n: str) -> str:
        wide = b.op("Cast", n, to=FLOAT)
        return b.op("And", b.op("Greater", wide, b.const(low)), b.op("Less", wide, b.const(high)))

    return step


def scale_by_table(odd: int, size: int = 513) -> Step:
    """A scale for every length, stored; 1 for all but one."""

    def step(b: Builder, x: str) -> str:
        table = np.ones(size)
        table[odd] = 2.0
        return b.op("Mul", x, b.op("Gather", b.const(table), b.op("Squeeze", length_of(b))))

    return step


def stored_mask(query: int, key: int, size: int = 512) -> Step:
    """A stored mask that hides one token from one other."""

    def step(b: Builder, x: str) -> str:
        mask = np.zeros((1, 1, size, size))
        mask[0, 0, query, key] = -1e9
        rows = b.op("Slice", b.const(mask), b.ints(0), length_of(b), b.ints(2))
        return b.op("Add", x, b.op("Slice", rows, b.ints(0), length_of(b), b.ints(3)))

    return step


# --- draws ---


def noise(b: Builder, x: str) -> str:
    return b.op("Add", x, b.op("RandomNormal", shape=[1, 1, WIDTH], scale=1e-6))


def noise_like(b: Builder, x: str) -> str:
    return b.op("Add", x, b.op("RandomNormalLike", x))


def rarely(b: Builder, x: str) -> str:
    hit = b.op("Cast", b.op("Bernoulli", b.const([0.001])), to=FLOAT)
    return b.op("Add", x, hit)


def dropout(share: float, *, training: bool = True) -> Step:
    return lambda b, x: b.op("Dropout", x, b.const(share), b.const(training, np.bool_))
