"""Windows of text without labels: a query before its document, or either alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from secateurs.model.pruner import Batch
from secateurs.train.config import TrainConfig
from secateurs.train.data import Corpus, Ids
from secateurs.train.mixing import Sources, pack
from secateurs.train.pieces import grow
from secateurs.windows.packing import Template


@dataclass(frozen=True, slots=True)
class Text:
    """One window of text: a query before its document, or either alone.

    Attributes:
        first: Token ids behind the first control tokens.
        second: Token ids behind those in the middle; None for a text alone.
    """

    first: Ids
    second: Ids | None

    def __len__(self) -> int:
        return len(self.first) + (0 if self.second is None else len(self.second))


@dataclass(frozen=True)
class TextBatch:
    """Windows laid one after another.

    Shape:
        ids, seconds: (tokens,); lengths: (windows,). `seconds` is 1 behind the control tokens in the middle.
    """

    ids: Tensor
    seconds: Tensor
    lengths: tuple[int, ...]

    def to(self, device: torch.device) -> TextBatch:
        """Return the batch on a device."""
        return replace(self, ids=self.ids.to(device), seconds=self.seconds.to(device))


def lay_texts(texts: list[Text], template: Template) -> TextBatch:
    """Lay texts one after another, with the model's control tokens around them."""
    ids, seconds = [], []
    for text in texts:
        head = [*template.before, *text.first]
        tail = [] if text.second is None else [*template.between, *text.second]
        ids.append(np.array([*head, *tail, *template.after], dtype=np.int64))
        places = len(head) + len(template.between)
        seconds.append((np.arange(len(ids[-1])) >= places) & (text.second is not None))
    lengths = tuple(map(len, ids))
    flat, right = np.concatenate(ids), np.concatenate(seconds).astype(np.int64)
    return TextBatch(torch.from_numpy(flat), torch.from_numpy(right), lengths)


class Texts:
    """Draws windows of text, of which no label is looked at.

    Args:
        corpus: The data.
        config: Shares, crops, seed.
        template: The model's control tokens.
        max_length: Longest window in encoder tokens.
    """

    def __init__(self, corpus: Corpus, config: TrainConfig, template: Template, max_length: int) -> None:
        self._corpus, self._config = corpus, config
        self._room = max_length - template.size
        self._sources = Sources(corpus, config)

    def pool(self, number: int) -> list[list[Text]]:
        """Make the batches of one pool; the same number gives the same batches."""
        rng = np.random.default_rng([self._config.run.seed, number])
        texts = [self.draw(rng) for _ in range(self._config.run.pool)]
        return pack(texts, len, self._config.run.batch_tokens, rng)

    def draw(self, rng: np.random.Generator) -> Text:
        """Draw a window."""
        distill, mix = self._config.distill, self._config.mix
        item = self._corpus.items[self._sources.draw(rng)]
        kind = rng.random()
        query = item.query[: self._room // 2]
        if kind < distill.queries:
            return Text(query, None)
        paired = kind < distill.queries + distill.pairs
        room = self._room - (len(query) if paired else 0)
        document = self._corpus.documents[item.document]
        target = min(room, int(rng.integers(mix.shortest, mix.longest + 1)))
        run = grow(document.starts, int(rng.integers(len(document.starts) - 1)), target, rng.random())
        ids = document.ids[document.starts[run.first] : document.starts[run.last]][:room]
        return Text(query, ids) if paired else Text(ids, None)


def windows(batch: TextBatch, document_type: int) -> Batch:
    """Return what an encoder reads."""
    return Batch.of(batch.ids, batch.seconds * document_type, batch.lengths)
