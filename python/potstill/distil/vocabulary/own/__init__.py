"""A tokenizer made of a recipe's texts. One file a kind; the file's name is the recipe's ``student.tokenizer_model``.

A file has ``PRE_TOKENIZER``, ``DECODER`` and ``normalizer(folding)``, parts of the tokenizer; ``alphabet(words)``, the
single characters that it holds; and ``model(words, alphabet, size)``. Around each stand the same four special tokens:
``[CLS] A [SEP]``, of pairs ``[CLS] A [SEP] B [SEP]`` with token type 1 from B on.

The same texts give the same file. The library's own trainers do not all: that of WordPiece numbers its characters, and
that of Unigram adds up its floats, in the order of a hash table that is another in every process.
"""

from __future__ import annotations

import importlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from potstill.errors import TrainError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from potstill.data.splits import Splits
    from potstill.recipe.schema import Student

# In the order of their ids. BERT's, without [MASK]: nothing here fills in words.
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
DEFAULT_MODEL, DEFAULT_SIZE = "unigram", 8000
# Most characters of a piece. Longer ones are whole sentences that were written twice.
LONGEST = 16


@dataclass(frozen=True)
class Folding:
    """What a tokenizer does not tell apart: upper and lower case; letters with accents and without."""

    case: bool
    accents: bool

    @staticmethod
    def of(tokenizer: Any) -> Folding:
        """That of a tokenizer: a student need not read what its teacher cannot see."""
        normalizer = getattr(getattr(tokenizer, "backend_tokenizer", None), "normalizer", None)

        def same(first: str, second: str) -> bool:
            return normalizer is not None and normalizer.normalize_str(first) == normalizer.normalize_str(second)

        return Folding(same("A", "a"), same("\u00e9", "e"))


def own_tokenizer(settings: Student, splits: Splits, teacher: Any) -> Any:
    """The tokenizer that a recipe's ``student`` section asks for, a fast one of transformers.

    Args:
        settings: ``tokenizer_model, tokenizer_size``.
        splits: its training and unlabelled texts are read.
        teacher: the teacher's tokenizer, of which it takes the folding and the limit of tokens.

    Raises:
        TrainError: tokenizer_size is under what special tokens and single characters take.
    """
    from transformers import PreTrainedTokenizerFast

    kind, folding = _kind(settings), Folding.of(teacher)
    words = words_of(kind, folding, splits)
    alphabet = checked_alphabet(settings, words)
    tokenizer = _around(kind.model(words, alphabet, settings.tokenizer_size or DEFAULT_SIZE), kind, folding)
    limit = getattr(teacher, "model_max_length", None)
    names = {f"{token[1:-1].lower()}_token": token for token in SPECIAL}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=limit, **names)


def words_of(kind: Any, folding: Folding, splits: Splits) -> Counter[str]:
    """Words of the training and unlabelled texts as the tokenizer's kind sets them apart, and how often they occur.

    They are in the order of their code points, so that nothing depends on the order of the texts.
    """
    normalizer, found = kind.normalizer(folding), Counter[str]()
    # No kind has words across these, so that equal parts between them need be looked at once only. Of what Python calls
    # white space BERT's normalizer drops some, and makes one word of what stands around it.
    parts = Counter(part for text in _texts(splits) for part in re.split(r"[ \t\r\n]+", text) if part)
    for part, count in parts.items():
        clean = part if normalizer is None else normalizer.normalize_str(part)
        for word, _ in kind.PRE_TOKENIZER.pre_tokenize_str(clean):
            found[word] += count
    return Counter({word: found[word] for word in sorted(found)})


def checked_alphabet(settings: Student, words: Iterable[str]) -> Sequence[str]:
    """The single characters that a tokenizer over these words holds.

    Raises:
        TrainError: with the special tokens they are more than ``tokenizer_size``.
    """
    alphabet: Sequence[str] = _kind(settings).alphabet(words)
    size, least = settings.tokenizer_size or DEFAULT_SIZE, len(SPECIAL) + len(alphabet)
    if size < least:
        bytes_spell = ', or set student.tokenizer_model = "bpe", which spells in 256 bytes'
        raise TrainError(
            "T131",
            f"a tokenizer of {size} tokens cannot hold the {len(SPECIAL)} special tokens and {len(alphabet)} single "
            "characters",
            "student.tokenizer_size",
            f"give {least} or more{'' if settings.tokenizer_model == 'bpe' else bytes_spell}",
        )
    return alphabet


def check_size(settings: Student, splits: Splits, teacher: Any) -> None:
    """Raise what `own_tokenizer` would raise."""
    checked_alphabet(settings, words_of(_kind(settings), Folding.of(teacher), splits))


def _kind(settings: Student) -> Any:
    return importlib.import_module(f"{__name__}.{settings.tokenizer_model or DEFAULT_MODEL}")


def _texts(splits: Splits) -> Iterator[str]:
    """Training and unlabelled texts, both of a pair; words, which are read one by one, with spaces between."""
    for rows in (splits.train, splits.unlabelled):
        for name in ("text", "text_pair"):
            if rows is not None and name in rows.column_names:
                yield from (text if isinstance(text, str) else " ".join(text) for text in rows[name])


def _around(model: Any, kind: Any, folding: Folding) -> Tokenizer:
    """The tokenizer with this model."""
    from tokenizers import Tokenizer, processors

    found = Tokenizer(model)
    if (normalizer := kind.normalizer(folding)) is not None:
        found.normalizer = normalizer
    found.pre_tokenizer, found.decoder = kind.PRE_TOKENIZER, kind.DECODER
    found.add_special_tokens(list(SPECIAL))
    found.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, SPECIAL.index(token)) for token in ("[CLS]", "[SEP]")],
    )
    return found


def merged(
    words: Counter[str], first: Sequence[str], size: int, prefix: str = ""
) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Byte-pair encoding's pieces and merges over words: of the two adjoining pieces that occur most often one is made.

    Args:
        words: as `words_of` gives them.
        first: pieces to begin with, which get the first ids; all characters of the words are among them.
        size: most pieces.
        prefix: of pieces that do not begin a word.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    learner = Tokenizer(models.BPE(continuing_subword_prefix=prefix))
    learner.pre_tokenizer = pre_tokenizers.Split("\n", "removed")
    trainer = trainers.BpeTrainer(
        # As special tokens they have their ids before the words are looked at: ties are broken by id.
        special_tokens=list(first),
        vocab_size=size,
        min_frequency=2,
        max_token_length=LONGEST,
        continuing_subword_prefix=prefix,
        show_progress=False,
    )
    repeated = ("\n".join([word] * count) for word, count in words.items())
    learner.train_from_iterator(repeated, trainer)
    model = json.loads(learner.to_str())["model"]
    return model["vocab"], [tuple(pair) for pair in model["merges"]]
