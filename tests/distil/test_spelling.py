"""Tokens of one tokenizer in those of another: where words begin, what is special, what cannot be said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tokenizers
import torch
from tokenizers import decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from potstill.distil.students.widened import token_embeddings, widened
from potstill.distil.vocabulary.other import other_vocabulary
from potstill.distil.vocabulary.spelling import Spelling, Surface, spelt

GOOD = "\u2581good"


def wordpiece(*pieces: str) -> Any:
    vocabulary = {piece: index for index, piece in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *pieces])}
    found = tokenizers.Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    found.normalizer, found.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(tokenizer_object=found, **names)


def unigram(*pieces: str) -> Any:
    vocabulary = [(piece, 0.0) for piece in ("<s>", "<pad>", "</s>", "<unk>")]
    found = tokenizers.Tokenizer(models.Unigram([*vocabulary, *((piece, -1.0 * len(piece)) for piece in pieces)], 3))
    found.pre_tokenizer, found.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
    return PreTrainedTokenizerFast(tokenizer_object=found, **names)


def bytes_(*merges: tuple[str, str], prefix_space: bool = False) -> Any:
    pieces = ["<pad>", *sorted(pre_tokenizers.ByteLevel.alphabet()), *("".join(pair) for pair in merges)]
    found = tokenizers.Tokenizer(models.BPE({piece: index for index, piece in enumerate(pieces)}, list(merges)))
    found.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix_space)
    return PreTrainedTokenizerFast(tokenizer_object=found, pad_token="<pad>")


class Body(torch.nn.Module):
    """A model of a token table and something else."""

    def __init__(self, values: torch.Tensor) -> None:
        super().__init__()
        self.table, self.other = torch.nn.Embedding.from_pretrained(values), torch.nn.Linear(2, 2)

    @property
    def base_model(self) -> Any:
        return self

    def get_input_embeddings(self) -> Any:
        return self.table

    def set_input_embeddings(self, table: Any) -> None:
        self.table = table


def named(student: Any, teacher: Any) -> dict[str, list[str]]:
    """Each of the student's tokens in the teacher's."""
    found = spelt(student, teacher)
    return {token: teacher.convert_ids_to_tokens(found[index]) for token, index in student.get_vocab().items()}


def test_wordpiece_in_wordpiece() -> None:
    found = named(
        wordpiece("goodness", "##ness", "good", "x", "zz"), wordpiece("good", "##ness", "##n", "x", "##x", "z")
    )
    assert found["goodness"] == ["good", "##ness"] and found["##ness"] == ["##ness"] and found["good"] == ["good"]
    assert found["x"] == ["x"]
    assert found["zz"] == [], "it cannot be spelt: z does not go on a word"
    assert found["[PAD]"] == ["[PAD]"] and found["[CLS]"] == ["[CLS]"]


def test_a_part_of_a_word_is_spelt_as_one() -> None:
    teacher = wordpiece("good", "ness", "##ness", "\u6211", "\u4eec", "##\u4eec")
    found = named(unigram(GOOD, "ness", "\u2581ness", "\u6211\u4eec", "\u2581\u6211\u4eec", "\u2581"), teacher)
    assert found["ness"] == ["##ness"] and found["\u2581ness"] == ["ness"] and found[GOOD] == ["good"]
    assert found["\u2581\u6211\u4eec"] == ["\u6211", "\u4eec"], "BERT cuts at every Chinese character"
    assert found["\u2581"] == []
    assert found["<s>"] == ["[CLS]"] and found["</s>"] == ["[SEP]"] and found["<pad>"] == ["[PAD]"]
    assert found["<unk>"] == ["[UNK]"]


def test_unigram_and_bytes_keep_the_space_before_a_word() -> None:
    marked, going_on = "\u0120good", "good"
    for prefix_space in (False, True):
        teacher = bytes_(("o", "o"), ("oo", "d"), ("g", "ood"), ("\u0120", "good"), prefix_space=prefix_space)
        found = named(unigram(GOOD, "good", "\u2581goody", "\u00e9"), teacher)
        assert found[GOOD] == [marked] and found["good"] == [going_on]
        assert found["\u2581goody"] == [marked, "y"]
        assert found["\u00e9"] == ["\u00c3", "\u00a9"], "its two bytes"
    back = named(bytes_(("\u0120", "g"), ("\u00c3", "\u00a9")), unigram("\u2581g", "g", "\u00e9", "\u2581"))
    assert back["\u0120g"] == ["\u2581g"] and back["g"] == ["g"] and back["\u00c3\u00a9"] == ["\u00e9"]
    assert back["\u0120"] == ["\u2581"] and back["\u00c3"] == [], "half a character is no text"


def test_one_family_takes_pieces_as_they_are() -> None:
    """Half a character, too, and what the teacher itself would cut otherwise."""
    ours, theirs = bytes_(), bytes_(("\u00c3", "\u00a9"))
    assert named(ours, theirs)["\u00c3"] == ["\u00c3"]


def test_special_tokens_that_the_teacher_lacks_are_nothing() -> None:
    found = named(wordpiece("a"), bytes_())
    assert found["[CLS]"] == found["[SEP]"] == found["[UNK]"] == [] and found["[PAD]"] == ["<pad>"]


def test_a_teacher_in_plain_python() -> None:
    from transformers import ByT5Tokenizer

    teacher = ByT5Tokenizer()
    assert named(wordpiece("ab", "##\u00e9"), teacher)["ab"] == ["a", "b"]
    assert len(spelt(wordpiece("\u00e9"), teacher)[4]) == 2


def test_surface_of_added_tokens_and_marks() -> None:
    assert Spelling(bytes_()).surface("\u0120a") == Surface("a", True)
    assert Spelling(bytes_()).surface("<pad>") == Surface("<pad>", False)
    assert Spelling(wordpiece("a")).surface("##a") == Surface("a", False)


def test_a_vocabulary_points_into_the_widened_table() -> None:
    """By hand: `goodness` starts from the mean of two rows, what cannot be spelt from the mean of all."""
    student, teacher = wordpiece("goodness", "##ness", "zz"), wordpiece("good", "##ness")
    found = other_vocabulary(student, teacher, 6)
    assert found.kept is not None and found.added is not None
    assert found.kept.tolist() == [0, 1, 2, 3, 6, 5, 7]
    assert [ids.tolist() for ids in found.added] == [[4, 5], []]
    assert (found.size, found.teacher_size, found.pad_id) == (7, 6, 0)
    model: Any = torch.nn.Module()
    model.body = Body(torch.arange(12, dtype=torch.float32).reshape(6, 2))
    wide = widened(model, found.added)
    rows = token_embeddings(wide).weight
    np.testing.assert_array_equal(rows[:6].numpy(), model.body.table.weight.detach().numpy())
    np.testing.assert_array_equal(rows[6:].numpy(), [[9.0, 10.0], [5.0, 6.0]])
    assert token_embeddings(model).num_embeddings == 6 and wide.body.other.weight is model.body.other.weight
    assert wide.body is not model.body and not wide.training


@pytest.mark.parametrize("kind", ["Roberta", "MPNet", "Llama", "Gemma", "Gemma2", "Gemma3Text"])
def test_a_widened_teacher_reads_its_own_tokens_as_before(kind: str, tmp_path: Any) -> None:
    """And each added token as its row says."""
    import transformers

    from potstill.models.classifier import load_encoder

    torch.manual_seed(0)
    sizes: dict[str, Any] = {"vocab_size": 20, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    sizes |= {"intermediate_size": 16, "max_position_embeddings": 32, "pad_token_id": 1, "num_key_value_heads": 2}
    config = getattr(transformers, f"{kind}Config")(**sizes)
    getattr(transformers, f"{kind}Model")(config).save_pretrained(tmp_path)
    teacher = load_encoder(tmp_path, labels=["a", "b"]).eval()
    wide = widened(teacher, [np.array([7]), np.array([3, 5])])
    ids = torch.tensor([[2, 7, 9, 4]])
    with torch.no_grad():
        torch.testing.assert_close(wide(ids).logits, teacher(ids).logits)
        torch.testing.assert_close(wide(torch.tensor([[2, 20, 9, 4]])).logits, teacher(ids).logits)
        assert not wide(torch.tensor([[2, 21, 9, 4]])).logits.equal(teacher(ids).logits)
