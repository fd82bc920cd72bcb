"""Potstill and its peers in one run: same weights, same sentences, turns in shuffled rounds, one process an engine.

For each thread count all engines are loaded side by side; each case (a length, or the real lengths) is warmed on all of
them, then measured in rounds. Every engine's logits of every sentence are compared with the fp32 ones first: who
computes something else is not measured. Whoever is not measured stays in the table with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from potstill.bench import rounds
from potstill.bench.engine import OWN, Peer
from potstill.compare import exports
from potstill.compare.agreement import check
from potstill.compare.contender import Contender
from potstill.compare.peers import COMPARED
from potstill.compare.sentences import Sentences, shuffled, spaced
from potstill.compare.worker import MAKE_LIMIT, OPEN_LIMIT, TURN_LIMIT, source_as_json
from potstill.errors import PotstillError

if TYPE_CHECKING:
    from potstill.work.progress import Progress

LENGTHS = (8, 16, 32, 64, 128)
THREADS = (1, 2)
BATCH = 32
ROUNDS, QUICK_ROUNDS = 25, 5
BUDGET_SECONDS, QUICK_SECONDS = 6.0, 1.5
# Real sentences of the batches (four of 32 when not quick, so that sorting by length pays), and of the loop of batch 1.
BATCHED, QUICK_BATCHED = 128, 96
SINGLE, QUICK_SINGLE = 64, 32
# Static lengths of LiteRT: one for each measured length, and these, so that a real sentence wastes 4 tokens on average.
LITERT_LENGTHS = tuple(range(8, 65, 8))


@dataclass(frozen=True)
class Case:
    """What one turn runs.

    Attributes:
        name: shown, and the key.
        batches: ids of each call's sentences.
        tokens: length of the sentences, None for real lengths.
        batch: sentences of a call.
    """

    name: str
    batches: list[list[list[int]]]
    tokens: int | None
    batch: int

    @property
    def sentences(self) -> int:
        """Sentences of one pass."""
        return sum(map(len, self.batches))


def cases(lengths: Iterable[int], real: Sentences, vocabulary: int, single: int = SINGLE) -> list[Case]:
    """The fixed lengths, batch 1, then the real lengths one by one and in batches of 32 sorted by length.

    Args:
        lengths: tokens of the made-up sentences.
        real: sentences of the batches.
        vocabulary: number of token ids.
        single: how many of the real sentences, evenly spaced in length, run one by one.
    """
    made = [Case(f"{length} tokens", [[rounds.sentence(length, vocabulary)]], length, 1) for length in lengths]
    made.append(Case("real lengths, batch 1", [[ids] for ids in shuffled(spaced(real.ids, single))], None, 1))
    batches = [real.ids[start : start + BATCH] for start in range(0, len(real.ids), BATCH)]
    made.append(Case(f"real lengths, batch {BATCH}", batches, None, BATCH))
    return made


def contenders(scheme: str, only: Sequence[str] = ()) -> list[Contender]:
    """Everybody, ours last; `only` keeps peers whose name holds one of the words, and always the model itself."""
    ours = [Peer("Potstill", scheme, "still", OWN)]
    ours = [Peer("Potstill", other, f"still_{other}", OWN) for other in ("fp32", "int8") if other != scheme] + ours
    words = [word.lower() for word in only]
    kept = [peer for peer in COMPARED if not words or any(word in peer.name.lower() for word in words)]
    return [Contender(peer) for peer in [*kept, *ours]]


def compare(
    source: exports.Source,
    everyone: Sequence[Contender],
    todo: Sequence[Case],
    *,
    threads: Sequence[int] = THREADS,
    wanted: int = ROUNDS,
    budget: float = BUDGET_SECONDS,
    seed: int = 0,
    progress: Progress,
) -> tuple[list[dict[str, Any]], bool]:
    """Measure; `everyone` is filled with facts and reasons.

    Args:
        source: the model.
        everyone: contenders, the model itself last.
        todo: cases.
        threads: thread counts.
        wanted: rounds of each case and thread count.
        budget: seconds after which a case has enough rounds.
        seed: of the order of turns.
        progress: a `potstill.work.progress.Progress`.

    Returns:
        Rows ``{engine, precision, case, tokens, batch, padded_to, threads, median_ms, min_ms, p10_ms, p90_ms, runs,
        sentences_per_second, ratio}``, milliseconds a sentence, `ratio` = median / the model's own median; and whether
        the user interrupted, in which case they are what had been measured by then.
    """
    rows: list[dict[str, Any]] = []
    try:
        _make_files(source, everyone, progress)
        for count in threads:
            try:
                _open(everyone, count, progress)
                with progress.task(f"threads {count}", total=len(todo) * wanted, unit="rounds") as task:
                    for case in todo:
                        _measure(rows, everyone, case, count, wanted, budget, seed, task)
            finally:
                for contender in everyone:
                    contender.close()
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
            contender.start(1)
            if contender.ask(MAKE_LIMIT, do="make", source=job, key=key) is None:
                failed[key] = contender.reason
            contender.close()


def _open(everyone: Sequence[Contender], threads: int, progress: Progress) -> None:
    running = [contender for contender in everyone if not contender.reason]
    with progress.task(f"loading, threads {threads}", total=len(running), unit="engines") as task:
        for contender in running:
            contender.start(threads)
            request: dict[str, Any] = {"peer": asdict(contender.peer), "path": str(contender.path), "threads": threads}
            opened = contender.ask(OPEN_LIMIT, do="open", **request)
            if opened is not None and "version" not in contender.facts:
                contender.facts |= opened
            task.advance(1, note=contender.peer.name)


def _measure(
    rows: list[dict[str, Any]],
    everyone: Sequence[Contender],
    case: Case,
    threads: int,
    wanted: int,
    budget: float,
    seed: int,
    task: Any,
) -> None:
    """Warm all on one case, check their logits, take turns. An interrupt during the turns keeps the finished turns."""
    when = f"{case.name}, threads {threads}"
    least = 1 if case.sentences > 1 else 3
    for contender in everyone:
        answer = contender.ask(TURN_LIMIT, when, do="warm", case=case.name, batches=case.batches, least=least)
        if answer is not None:
            contender.facts["padded_to"] = answer["padded_to"]
            contender.facts.setdefault("peak_rss_bytes", answer["peak_rss_bytes"])
            contender.logits.setdefault(case.name, answer["logits"])
    check(everyone)
    racing = [contender for contender in everyone if contender.worker is not None]

    def turn(contender: Contender) -> Sequence[int]:
        answer = contender.ask(TURN_LIMIT, when, do="turn", case=case.name)
        return answer["nanoseconds"] if answer is not None else ()

    times: list[list[int]] = [[] for _ in racing]
    turns = [partial(turn, contender) for contender in racing]
    try:
        rounds.interleave(turns, times, rounds=wanted, budget=budget, seed=seed, task=task)
    finally:
        rows += _rows(racing, times, case, threads)


def _rows(
    racing: Sequence[Contender], times: Sequence[Sequence[int]], case: Case, threads: int
) -> list[dict[str, Any]]:
    rows = []
    for contender, taken in zip(racing, times, strict=True):
        if taken:
            figures = rounds.spread(taken, case.sentences)
            rows.append(
                {
                    "engine": contender.peer.engine,
                    "precision": contender.peer.precision,
                    "case": case.name,
                    "tokens": case.tokens,
                    "batch": case.batch,
                    "padded_to": contender.facts["padded_to"] if case.tokens is not None else None,
                    "threads": threads,
                    **figures,
                    "sentences_per_second": 1e3 / figures["median_ms"],
                }
            )
    # The model itself is the last contender; interrupted before its first turn, or dead, it has no row.
    own = rows[-1]["median_ms"] if rows and times[-1] else None
    for row in rows:
        row["ratio"] = row["median_ms"] / own if own else None
    return rows
