"""A tower learns to compare: a query's vector comes near those of the units that answer it, and away from all others.

Query and units are read apart, so that a document is read once for all its queries, and every unit of a batch is a
wrong answer to most of its queries: in the same time a tower learns from ten times as many labels as the encoder
beside it. Without a teacher it would soon forget what it knew beyond the data; so its vectors stay near those of a
deeper encoder.

Source: in-batch negatives, DPR (Karpukhin et al. 2020); several right ones, SupCon (Khosla et al. 2020).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from secateurs.model.pruner import Pruner, Sides
from secateurs.train.config import ConfigError, ContrastConfig, StartConfig, TrainConfig
from secateurs.train.data import Corpus, Item
from secateurs.train.dev import DevSet
from secateurs.train.losses import HoldsModel
from secateurs.train.measures import as_line
from secateurs.train.mixing import Sources, fill
from secateurs.train.placement import Placement
from secateurs.train.records import MASKED
from secateurs.train.start import Start, load_start
from secateurs.train.task import Measured
from secateurs.train.teacher import check_same_tokens
from secateurs.train.tower import Remembered, centre

_ABSOLUTE = (8.0, -4.0)  # log-odds of a cosine at first: 0 at .5


@dataclass(frozen=True, slots=True)
class Case:
    """A document with some of its queries.

    Attributes:
        document: Its index.
        items: Its queries with their labels.
    """

    document: int
    items: tuple[Item, ...]


@dataclass(frozen=True)
class ContrastBatch:
    """Queries and units, and which belong together.

    Attributes:
        ids: Token ids of the queries, then of the units.
        sides: Where each stands in them.
        right: Whether a unit answers a query.
        own: Whether a unit is of the document that a query was asked of, and labelled for it.
        wrong: Whether a unit is known not to answer a query.

    Shape:
        ids: (tokens,); right, own, wrong: (queries, units).
    """

    ids: Tensor
    sides: Sides
    right: Tensor
    own: Tensor
    wrong: Tensor

    def to(self, device: torch.device) -> ContrastBatch:
        """Return the batch on a device."""
        moved = {name: getattr(self, name).to(device) for name in ("ids", "right", "own", "wrong")}
        return replace(self, **moved)


class Cases:
    """Draws documents with their queries.

    Args:
        corpus: The data.
        config: Shares, seed, sizes.
        limit: Encoder tokens of a text that are read.
    """

    def __init__(self, corpus: Corpus, config: TrainConfig, limit: int) -> None:
        self._corpus, self._config, self._limit = corpus, config, limit
        self._sources = Sources(corpus, config)
        self._queries: dict[int, list[Item]] = {}
        for item in corpus.items:
            self._queries.setdefault(item.document, []).append(item)

    def pool(self, number: int) -> list[list[Case]]:
        """Make the batches of one pool; the same number gives the same batches."""
        rng = np.random.default_rng([self._config.run.seed, number])
        drawn = [self._corpus.items[self._sources.draw(rng)].document for _ in range(self._config.run.pool)]
        documents = np.unique(drawn)
        # neighbours in a file are of like subjects: their units are hard to tell from the right ones
        beside = rng.random(len(documents)) < self._config.mix.same_title
        places = np.where(beside, documents, rng.permutation(documents))
        cases = [self._case(int(document), rng) for document in documents[np.argsort(places, kind="stable")]]
        return fill([case for case in cases if case.items], self._size, self._config.run.batch_tokens, rng)

    def collate(self, cases: Sequence[Case]) -> ContrastBatch:
        """Lay texts one after another."""
        items = [item for case in cases for item in case.items]
        texts = [item.query[: self._limit] for item in items]
        owners: list[int] = []
        places: list[int] = []
        for index, case in enumerate(cases):
            document = self._corpus.documents[case.document]
            bounds = zip(document.starts[:-1], document.starts[1:], strict=True)
            for place, (first, last) in enumerate(bounds):
                if last > first:
                    texts.append(document.ids[first : min(last, first + self._limit)])
                    owners.append(index)
                    places.append(place)
        lengths = np.array([len(text) for text in texts], dtype=np.int64)
        none = np.zeros(len(owners), dtype=np.int64)
        sides = Sides(np.cumsum(lengths) - lengths, lengths, len(items), none, none)
        labels, own, other = self._labels(cases, np.array(owners, dtype=np.int64), np.array(places, dtype=np.int64))
        return ContrastBatch(
            ids=torch.from_numpy(np.concatenate(texts).astype(np.int64)),
            sides=sides,
            right=torch.from_numpy(own & (labels == 1)),
            own=torch.from_numpy(own & (labels != MASKED)),
            wrong=torch.from_numpy(other | (own & (labels == 0))),
        )

    def _labels(
        self, cases: Sequence[Case], owners: NDArray[np.int64], places: NDArray[np.int64]
    ) -> tuple[NDArray[np.int8], NDArray[np.bool_], NDArray[np.bool_]]:
        """Return each unit's label for each query, whether it is of its document, whether of quite another one.

        Args:
            cases: A document and its queries each.
            owners: The index of each unit's case, (units,).
            places: Which unit of its document each is, (units,).

        Returns:
            tuple: Three arrays, (queries, units).
        """
        rows: list[NDArray[np.int8]] = []
        own: list[NDArray[np.bool_]] = []
        other: list[NDArray[np.bool_]] = []
        groups = np.array([case.items[0].record.group or f"#{case.document}" for case in cases])
        for index, case in enumerate(cases):
            mine = owners == index
            for item in case.items:
                row = np.zeros(len(owners), dtype=np.int8)
                row[mine] = item.labels[places[mine]]
                rows.append(row)
                own.append(mine)
                # other parts of its document were never read for this query
                other.append(groups[owners] != groups[index])
        return np.stack(rows), np.stack(own), np.stack(other)

    def _case(self, document: int, rng: np.random.Generator) -> Case:
        items = self._queries[document]
        most = self._config.contrast.queries
        return Case(document, tuple(items[place] for place in rng.permutation(len(items))[:most]))

    def _size(self, case: Case) -> int:
        document = self._corpus.documents[case.document]
        units = np.diff(document.starts).clip(max=self._limit) + 2
        return int(units.sum()) + sum(min(len(item.query), self._limit) + 2 for item in case.items)


class ContrastLearner(HoldsModel):
    """A model whose tower learns, with its loss; encoder and heads rest.

    Args:
        model: A pruner with a tower.
        settings: Of the loss.
        teacher: An encoder whose vectors the tower's stay near; None for none.
    """

    def __init__(self, model: Pruner, settings: ContrastConfig, teacher: Pruner | None) -> None:
        super().__init__()
        self.model = model
        self._settings = settings
        self.absolute = nn.Linear(1, 1)
        with torch.no_grad():
            self.absolute.weight.fill_(_ABSOLUTE[0])
            self.absolute.bias.fill_(_ABSOLUTE[1])
        self._remembered = None if teacher is None else Remembered(teacher)

    def forward(self, batch: ContrastBatch) -> dict[str, Tensor]:
        """Return the parts of the loss and their weighted sum, `"loss"`."""
        tower, settings = self.model.similarity, self._settings
        if tower is None:
            raise ValueError("only a model with a similarity tower can learn to compare.")
        vectors = tower.vectors(self.model.encoder.tokens, batch.ids, batch.sides)
        with torch.autocast(vectors.device.type, enabled=False):
            sizes = [batch.sides.queries, len(vectors) - batch.sides.queries]
            queries, units = torch.split(vectors.float(), sizes)
            cosines = tower.centred(queries, 0) @ tower.centred(units, 1).T
            odds = cosines / settings.temperature
            parts = {
                "own": contrast(odds, batch.right, batch.wrong & batch.own),
                "batch": contrast(odds, batch.right, batch.wrong),
                "absolute": self._wrong(cosines, batch),
            }
            if self._remembered is not None:
                wanted = self._remembered.vectors(batch.ids, batch.sides).float()
                parts["teacher"] = self._apart(vectors.float(), wanted, batch.sides.queries)
        parts["loss"] = torch.stack([getattr(settings, name) * part for name, part in parts.items()]).sum()
        return parts

    def _wrong(self, cosines: Tensor, batch: ContrastBatch) -> Tensor:
        """Return the cross-entropy of "this unit answers", over the units of each query's document."""
        odds = self.absolute(cosines[batch.own][:, None])[:, 0]
        return functional.binary_cross_entropy_with_logits(odds, batch.right[batch.own].float())

    def _apart(self, found: Tensor, wanted: Tensor, queries: int) -> Tensor:
        """Return 1 - cosine between vectors and the teacher's, without what each side of these has in common."""
        sizes = [queries, len(found) - queries]
        angles = []
        for mine, theirs in zip(torch.split(found, sizes), torch.split(wanted, sizes), strict=True):
            common = theirs.mean(0)
            angles.append(1 - functional.cosine_similarity(mine - common, theirs - common))
        return torch.cat(angles).mean()


def contrast(odds: Tensor, right: Tensor, wrong: Tensor) -> Tensor:
    """Return how little of the odds lies on what is right: -log of the share of each right one beside the wrong.

    Args:
        odds: Logarithms.
        right: What is right; a row without any does not count.
        wrong: What it is compared with.

    Shape:
        (queries, units) each; a scalar comes back.

    Example:
        >>> row = torch.tensor([[0.0, 0.0, 0.0]])
        >>> contrast(row, torch.tensor([[True, True, False]]), torch.tensor([[False, False, True]]))
        tensor(0.6931)
    """
    lowest = torch.finfo(odds.dtype).min
    others = torch.logsumexp(odds.masked_fill(~wrong, lowest), 1, keepdim=True)
    lost = torch.logaddexp(odds, others) - odds
    return (lost * right).sum() / right.sum().clamp(min=1)


class Contrast:
    """A tower learns from labels, and from a deeper encoder.

    Args:
        config: All settings.
        start: The model.
        corpus: The data.
        device: Where both run.
        dev: What is measured on the way; None for nothing.

    Raises:
        CheckpointError: The teacher cannot be loaded.
        ConfigError: The model has no tower that learns, or the teacher does not fit it.
    """

    def __init__(
        self, config: TrainConfig, start: Start, corpus: Corpus, device: torch.device, *, dev: DevSet | None = None
    ) -> None:
        tower = start.model.similarity
        if tower is None or config.start.freeze_similarity:
            raise ConfigError(
                "contrast: it needs a model with a tower, or start.similarity, and start.freeze_similarity = false."
            )
        self._cases = Cases(corpus, config, start.layout.part_limit)
        self._dev, self._model = dev, start.model
        for part in (start.model.encoder, start.model.pruning, start.model.ranking, tower.mix, tower.scale):
            if part is not None:
                part.requires_grad_(False)
        centre(start.model, map(self.collate, self.pool(0)))
        teacher = load_vector_teacher(config, start)
        self.learner: HoldsModel = ContrastLearner(
            start.model, config.contrast, None if teacher is None else teacher.to(device)
        )

    def pool(self, number: int) -> list[list[Case]]:
        """Return the batches of one pool."""
        return self._cases.pool(number)

    def collate(self, examples: list[Case]) -> ContrastBatch:
        """Make one batch of documents with their queries."""
        return self._cases.collate(examples)

    def measure(self, placement: Placement) -> Measured | None:
        """Measure how the tower's cosines alone order the units of the dev records."""
        if self._dev is None:
            return None
        result = self._dev.measure(self._dev.compare(self._model, placement))
        return Measured(result.ap, as_line(result))


def load_vector_teacher(config: TrainConfig, start: Start) -> Pruner | None:
    """Load an encoder whose vectors a tower's stay near, as a pruner with that tower; None where there is none.

    Raises:
        CheckpointError: It cannot be loaded.
        ConfigError: It does not fit the model.
    """
    settings = config.contrast
    if not settings.model:
        return None
    layers = tuple(range(settings.layers))
    found = load_start(StartConfig(settings.model, similarity=settings.model, similarity_layers=layers))
    check_same_tokens("contrast.model", settings.model, found, start)
    return found.model.eval().requires_grad_(False)
