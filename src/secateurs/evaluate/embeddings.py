"""Peers that compare embeddings: similarity by threshold, and LlamaIndex's own class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from secateurs.errors import CheckpointError, MissingExtraError
from secateurs.evaluate.ladder import Cut, Scored
from secateurs.evaluate.records import Record
from secateurs.evaluate.systems import parts_of, texts
from secateurs.result.savings import TokenCounter

if TYPE_CHECKING:
    import torch

Vectors = NDArray[np.float32]
_SHARES = tuple(step / 20 for step in range(1, 21))  # of the units that LlamaIndex's class keeps
_DEFAULT_SHARE = 0.5  # the value of its documentation
_TEXTS_AT_ONCE = 64
_MOST_KNOWN = 100_000  # vectors held; a few hundred MB at most


class Encoder:
    """A sentence encoder: mean-pooled, normalized token vectors of any encoder that transformers can load.

    Args:
        model: A folder or hub id, with `e5` in its name if it is of the E5 family, which needs prefixes; None for
            the encoder inside the bundled checkpoint.
        device: As torch names it.
    """

    def __init__(self, model: str | None = None, *, device: str = "cpu") -> None:
        # the E5 models were trained with these words before every text
        is_e5 = model is None or "e5" in Path(model).name.lower().split("-")
        self.prefixes = ("query: ", "passage: ") if is_e5 else ("", "")
        self._run = _bundled(device) if model is None else _foreign(model, device)
        self._known: dict[str, Vectors] = {}

    def queries(self, texts: Sequence[str]) -> Vectors:
        """Embed queries; (texts, width), each of length 1."""
        return self._embed([self.prefixes[0] + text for text in texts])

    def sentences(self, texts: Sequence[str]) -> Vectors:
        """Embed sentences; (texts, width), each of length 1."""
        return self._embed([self.prefixes[1] + text.strip() for text in texts])

    def _embed(self, texts: Sequence[str]) -> Vectors:
        """Embed texts, shortest first; what two peers ask for is computed once."""
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()
        order = sorted({text for text in texts if text not in self._known}, key=len)
        for first in range(0, len(order), _TEXTS_AT_ONCE):
            some = order[first : first + _TEXTS_AT_ONCE]
            self._known.update(zip(some, self._run(some), strict=True))
        return np.stack([self._known[text] for text in texts])


class SimilaritySystem:
    """Keeps sentences whose embedding is near the query's, by cosine similarity.

    Source:
        What LlamaIndex's SentenceEmbeddingOptimizer (`threshold_cutoff`) and LangChain's EmbeddingsFilter
        (`similarity_threshold`, after a splitter) do.
    """

    probabilities = False

    def __init__(self, name: str, encoder: Encoder) -> None:
        self.name = name
        self._encoder = encoder

    def score(self, records: Sequence[Record]) -> list[Scored]:
        """Score records, one result each, in order."""
        documents = [parts_of(record.context) for record in records]
        units = [texts(parts) for parts in documents]
        queries = self._encoder.queries([record.query for record in records])
        vectors = self._encoder.sentences([text for some in units for text in some] or [""])
        results, at = [], 0
        for query, parts, some in zip(queries, documents, units, strict=True):
            mine = vectors[at : at + len(some)]
            at += len(some)
            results.append(Scored(parts, (mine @ query).astype(np.float64)))
        return results


class LlamaIndexSystem:
    """LlamaIndex's own SentenceEmbeddingOptimizer, once for each share of sentences it may keep.

    It gets our units (not those that are pure frame) for sentences and is otherwise left as it comes: the neighbour
    on each side of a sentence is added, what two windows share is written twice, the best window comes first, and no
    frame comes along. Its LLM tokens are those of the text it returns. A unit counts as kept if its text stands in
    there.
    """

    probabilities = False

    def __init__(self, name: str, encoder: Encoder, count: TokenCounter) -> None:
        self.name = name
        self._encoder = encoder
        self._count = count
        self._given = _given_embeddings()

    def score(self, records: Sequence[Record]) -> list[Scored]:
        """Score records, one result each, in order."""
        return [self._one(record) for record in records]

    def _one(self, record: Record) -> Scored:
        parts = parts_of(record.context)
        units = texts(parts)
        if not any(unit.strip() for unit in units):
            return Scored(parts, np.zeros(len(units)))
        query, vectors = self._encoder.queries([record.query])[0], self._encoder.sentences(units)
        outputs: dict[int, Cut] = {}
        cuts = []
        for part in _SHARES:
            most = int(len(units) * part)  # as the class counts; 0 makes it keep all
            if most not in outputs:
                text = self._run(record, units, query, vectors, part)
                outputs[most] = Cut(0.0, np.array([one.strip() in text for one in units]), self._count(text))
            cuts.append(outputs[most]._replace(level=1.0 - part))
        default = cuts[_SHARES.index(_DEFAULT_SHARE)]
        return Scored(parts, (vectors @ query).astype(np.float64), default, tuple(cuts))

    def _run(self, record: Record, units: Sequence[str], query: Vectors, vectors: Vectors, part: float) -> str:
        """Return the text that LlamaIndex's class makes of the document."""
        from llama_index.core.postprocessor import SentenceEmbeddingOptimizer
        from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

        optimizer = SentenceEmbeddingOptimizer(
            embed_model=self._given(vectors), percentile_cutoff=part, tokenizer_fn=lambda _: list(units)
        )
        node = NodeWithScore(node=TextNode(text=record.context))
        bundle = QueryBundle(record.query, embedding=query.tolist())
        return str(optimizer.postprocess_nodes([node], query_bundle=bundle)[0].node.get_content())


def _given_embeddings() -> Callable[[Vectors], Any]:
    """Return a maker of LlamaIndex embedding models that hand out vectors made before."""
    try:
        from llama_index.core.embeddings import MockEmbedding
    except ModuleNotFoundError:
        raise MissingExtraError("the peer llama-index", "llama-index") from None

    class Given(MockEmbedding):
        """Knows the vectors of one document's sentences."""

        vectors: Any = None

        def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
            return [row.tolist() for row in self.vectors]

    return lambda vectors: Given(embed_dim=vectors.shape[1], vectors=vectors)


def _bundled(device: str) -> Callable[[Sequence[str]], Vectors]:
    """Return a function that embeds with the encoder inside the bundled checkpoint."""
    import torch

    from secateurs import checkpoints
    from secateurs.model.attention import attend_by_window
    from secateurs.model.encoders import Batch

    where = torch.device(device)
    loaded = checkpoints.load(checkpoints.locate(), family=None, device=where, dtype=torch.float32)
    template, most = loaded.layout.template, loaded.layout.max_length

    def run(texts: Sequence[str]) -> Vectors:
        tokens = loaded.tokenizer.encode(texts)
        each = np.split(tokens.ids, np.cumsum(tokens.lengths)[:-1])
        rows = [[*template.before, *map(int, ids[: most - 2]), *template.after] for ids in each]
        flat = torch.tensor([item for row in rows for item in row], device=where)
        lengths = [len(row) for row in rows]
        with torch.inference_mode():
            batch = Batch.of(flat, torch.zeros_like(flat), lengths)
            hidden = loaded.model.encoder(batch, attend_by_window(lengths))
            return _pooled([part.mean(0) for part in torch.split(hidden, lengths)])

    return run


def _foreign(model: str, device: str) -> Callable[[Sequence[str]], Vectors]:
    """Return a function that embeds with an encoder that transformers loads."""
    import torch
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity(40)  # errors only: it would advise to train the pooler, which is not used here
    try:
        tokenizer = AutoTokenizer.from_pretrained(model)
        encoder = AutoModel.from_pretrained(model, dtype=torch.float32).to(device).eval()
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise CheckpointError(
            f"cannot load the encoder {model!r}: {reason} Pass a folder or hub id that transformers' AutoModel takes."
        ) from error
    finally:
        logging.set_verbosity(before)

    def run(texts: Sequence[str]) -> Vectors:
        batch = tokenizer(list(texts), padding=True, truncation=True, max_length=512, return_tensors="pt").to(device)
        with torch.inference_mode():
            hidden = encoder(**batch).last_hidden_state
            real = batch["attention_mask"].bool()
            return _pooled([row[mask].mean(0) for row, mask in zip(hidden, real, strict=True)])

    return run


def _pooled(rows: Sequence[torch.Tensor]) -> Vectors:
    """Return vectors of length 1 as numpy."""
    import torch

    vectors = torch.nn.functional.normalize(torch.stack(list(rows)).float(), dim=-1)
    return np.asarray(vectors.cpu().numpy(), dtype=np.float32)
