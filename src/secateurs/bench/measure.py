"""Everything `secateurs bench` measures, interleaved: each repeat runs all of it once, and medians are reported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from secateurs import __version__
from secateurs.bench import machine
from secateurs.bench.callers import Peers, find_peers, ours
from secateurs.bench.clients import Clients
from secateurs.bench.corpus import (
    FEWEST,
    LONG,
    LONG_CHARACTERS,
    MIXED,
    QUERY,
    RECIPES,
    SEED,
    Corpus,
    Costs,
    make_corpus,
    make_long,
)
from secateurs.bench.growth import Growth, subjects
from secateurs.bench.memory import PeakMemory
from secateurs.bench.pipeline import POOLED_SENTENCES, POOLED_TOKENS, pooling_seconds
from secateurs.bench.real import DOCUMENTS, read_card, read_corpus
from secateurs.bench.results import Memory, Pooling, Report
from secateurs.bench.variants import variants
from secateurs.bench.workload import Material, Means, Workload
from secateurs.checkpoints import Checkpoint
from secateurs.compressor import Compressor
from secateurs.model.device import token_budget

REAL = "real"
_WARM_UP = 4  # documents
WORKLOADS = (*(recipe.name for recipe in RECIPES), LONG, REAL)

Tick = Callable[[str], None]


@dataclass(frozen=True)
class Settings:
    """How much is measured.

    Attributes:
        workloads: Names out of `WORKLOADS`.
        repeats: How often everything is run; medians are reported.
        scale: How many documents (of `long`, characters), as a multiple of the usual.
        growth_seconds: Seconds that the measurement of growth may take in all; 0 leaves it out.
        peers: Whether the neighbours' classes are measured, too.
        data: Files and folders of real documents; the bundled model's card when empty.
    """

    workloads: Sequence[str] = WORKLOADS
    repeats: int = 5
    scale: float = 1.0
    growth_seconds: float = 240.0
    peers: bool = True
    data: Sequence[Path] = ()


def measure(checkpoint: Checkpoint, settings: Settings, *, name: str, tick: Tick) -> Report:
    """Measure a checkpoint.

    Args:
        checkpoint: The loaded checkpoint.
        settings: How much.
        name: What the report calls it.
        tick: Told what is being done.

    Returns:
        The figures.
    """
    facts = machine.describe(checkpoint.model)  # before the load is ours
    tick("preparing the documents")
    rates = []
    with Compressor(checkpoint) as compressor:
        bench = _Bench(checkpoint, compressor, settings)
        tick("warming up")
        bench.warm_up()
        for index in range(settings.repeats):
            for what, run in bench.parts(index):
                tick(f"repeat {index + 1} of {settings.repeats}: {what}")
                bench.memory.give_back()
                run()
            rates.append(machine.matrix_rates(checkpoint.model, token_budget(checkpoint.model.device)))
    rate = max(map(median, zip(*rates, strict=True)))
    peak = bench.memory.ever()
    return Report(
        secateurs=__version__,
        model=name,
        machine=facts,
        repeats=settings.repeats,
        scale=settings.scale,
        matrix_rate=rate,
        workloads=[workload.result(rate) for workload in bench.workloads],
        peer_encoder=bench.peer_encoder,
        serving=bench.clients.result(),
        growth=[growth.result() for growth in bench.growth],
        pooling=Pooling(POOLED_TOKENS, POOLED_SENTENCES, median(bench.pooling)),
        memory=Memory(peak.resident, peak.device),
        left_out=bench.left_out,
    )


class _Bench:
    """The parts that every repeat runs."""

    def __init__(self, checkpoint: Checkpoint, compressor: Compressor, settings: Settings) -> None:
        costs, overhead = _costs(checkpoint), _overhead(checkpoint)
        peers = find_peers(checkpoint) if settings.peers else Peers((), ["neighbours: --no-peers"])
        self.left_out = list(peers.left_out)
        self.memory = PeakMemory(checkpoint.model.device)
        ways = variants(checkpoint.model)
        callers = [ours(compressor, checkpoint.model), *peers.callers]
        self.peer_encoder = peers.encoder
        self.means = Means(checkpoint, ways, callers, self.memory)
        materials = (_material(name, costs, overhead, settings) for name in settings.workloads)
        self.workloads = [Workload(material, self.means) for material in materials]
        self.mixed = make_corpus(MIXED, costs, overhead=overhead)
        self.clients = Clients(checkpoint, compressor, self.mixed, self.memory)
        self.pooling: list[float] = []
        self.growth: list[Growth] = []
        if settings.growth_seconds == 0:
            self.left_out.append("growth: --growth-seconds 0")
            return
        growing = subjects(costs, overhead)
        self.growth = [
            Growth(
                subject,
                checkpoint,
                compressor,
                self.memory,
                repeats=settings.repeats,
                seconds=settings.growth_seconds / len(growing),
            )
            for subject in growing
        ]

    def warm_up(self) -> None:
        """Run a little of everything that is timed."""
        self.means.warm_up(Corpus(self.mixed.query, self.mixed.documents[:_WARM_UP]))

    def parts(self, index: int) -> list[tuple[str, Callable[[], object]]]:
        """Return the parts of one repeat, each with its name."""
        return [
            *((workload.name, lambda workload=workload: workload.repeat(index)) for workload in self.workloads),
            *(("growth", growth.repeat) for growth in self.growth),
            # last, as the threads they start keep their buffers
            ("clients", lambda: self.clients.repeat(index)),
            ("pooling", lambda: self.pooling.append(pooling_seconds())),
        ]


def _costs(checkpoint: Checkpoint) -> Costs:
    def costs(sentences: Sequence[str]) -> list[int]:
        counted: list[int] = checkpoint.encode_sentences(sentences).lengths.tolist()
        return counted

    return costs


def _overhead(checkpoint: Checkpoint) -> int:
    """Return the encoder tokens of a window that are not the document's."""
    query = min(len(checkpoint.encode_query(QUERY)), checkpoint.layout.query_limit)
    return query + checkpoint.layout.template.size


def _material(name: str, costs: Costs, overhead: int, settings: Settings) -> Material:
    if name == REAL:
        return _real(settings)
    if name == LONG:
        characters = max(1, round(LONG_CHARACTERS * settings.scale))
        return Material(name, f"one document of {characters:,} characters", SEED, make_long(costs, characters))
    recipe = next(recipe for recipe in RECIPES if recipe.name == name)
    corpus = make_corpus(recipe, costs, overhead=overhead, scale=settings.scale)
    return Material(name, recipe.lengths.says, SEED, corpus)


def _real(settings: Settings) -> Material:
    if not settings.data:
        return Material(REAL, "the bundled model's card, cut at blank lines", None, read_card())
    corpus: Corpus = read_corpus(settings.data, max(FEWEST, round(DOCUMENTS * settings.scale)))
    names = ", ".join(path.resolve().name for path in settings.data)
    return Material(REAL, f"documents of {names}", None, corpus)
