"""Potstill and its peers in one run: same weights, same sentences, turns in shuffled rounds, one process an engine.

The logits of every engine and sentence are compared with the fp32 ones first: an engine that computes something else is
not measured. What is not measured stays in the table, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from potstill.bench.engine import OWN, Peer
from potstill.bench.race import Case, Contender, Race, made_up
from potstill.compare import exports
from potstill.compare.peers import COMPARED
from potstill.compare.sentences import Sentences, shuffled, spaced
from potstill.compare.worker import MAKE_LIMIT, Worker, source_as_json
from potstill.errors import PotstillError

if TYPE_CHECKING:
    from potstill.work.progress import Progress

LENGTHS = (8, 16, 32, 64, 128)
THREADS = (1, 2)
BATCH = 32
# Static lengths of LiteRT: one for each measured length, and these, so that a real sentence wastes 4 tokens on average.
LITERT_LENGTHS = tuple(range(8, 65, 8))


class Effort(NamedTuple):
    """Rounds of a case, seconds after which it has enough; real sentences run in batches, and one by one."""

    rounds: int
    seconds: float
    batched: int
    single: int


# Four batches of 32 when not quick, so that sorting by length pays.
FULL, QUICK = Effort(25, 6.0, 128, 64), Effort(5, 1.5, 96, 32)


def cases(lengths: Iterable[int], real: Sentences, vocabulary: int, single: int) -> list[Case]:
    """The fixed lengths, batch 1, then the real lengths one by one and in batches of 32 sorted by length.

    Args:
        lengths: tokens of the made-up sentences.
        real: sentences of the batches.
        vocabulary: number of token ids.
        single: how many of the real sentences, evenly spaced in length, run one by one.
    """
    made = made_up(lengths, vocabulary)
    made.append(Case("real lengths, batch 1", [[ids] for ids in shuffled(spaced(real.ids, single))], None, 1))
    batches = [real.ids[start : start + BATCH] for start in range(0, len(real.ids), BATCH)]
    made.append(Case(f"real lengths, batch {BATCH}", batches, None, BATCH))
    return made


def contenders(scheme: str, only: Sequence[str] = ()) -> list[Contender]:
    """All contenders, ours last; `only` keeps the peers whose names contain one of its words."""
    ours = [Peer("Potstill", scheme, "still", OWN)]
    ours = [Peer("Potstill", other, f"still_{other}", OWN) for other in ("fp32", "int8") if other != scheme] + ours
    words = [word.lower() for word in only]
    kept = [peer for peer in COMPARED if not words or any(word in peer.name.lower() for word in words)]
    return [Contender(peer) for peer in [*kept, *ours]]


def compare(
    source: exports.Source, everyone: Sequence[Contender], todo: Sequence[Case], race: Race, progress: Progress
) -> tuple[list[dict[str, Any]], bool]:
    """Make the files and measure; `everyone`, the model itself last, is filled with facts and reasons.

    Returns:
        Rows as `Race.run` gives, and whether the user interrupted: the rows are then those measured before.
    """
    rows: list[dict[str, Any]] = []
    try:
        _make_files(source, everyone, progress)
        race.run(everyone, todo, rows, progress)
    except KeyboardInterrupt:
        return rows, True
    return rows, False


def _make_files(source: exports.Source, everyone: Sequence[Contender], progress: Progress) -> None:
    """Make what is missing, each file in a process of its own: converters are heavy, and may crash."""
    job = source_as_json(source)
    failed: dict[str, str] = {}
    for contender in everyone:
        key = contender.peer.export
        try:
            contender.path = exports.path_of(source, key)
        except PotstillError as error:
            contender.drop(error.what)
            continue
        if key in failed:
            contender.drop(failed[key])
        elif not contender.path.exists():
            progress.message(f"making {key} for {contender.peer.name}")
            contender.place = Worker(contender.peer, 1)
            if contender.ask(MAKE_LIMIT, do="make", source=job, key=key) is None:
                failed[key] = contender.reason
            contender.close()
