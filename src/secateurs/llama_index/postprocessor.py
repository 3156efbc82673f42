"""The node postprocessor for LlamaIndex."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

from llama_index.core.callbacks import CBEventType, EventPayload
from llama_index.core.instrumentation.events.rerank import ReRankEndEvent, ReRankStartEvent
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore, QueryBundle
from llama_index_instrumentation import get_dispatcher
from pydantic import BaseModel

from secateurs.adapters.fields import DocumentFields, documented
from secateurs.adapters.model import AdapterModel
from secateurs.adapters.order import Returned
from secateurs.adapters.outcome import Outcome
from secateurs.adapters.settings import Settings
from secateurs.llama_index.events import SecateursReportEvent
from secateurs.llama_index.nodes import clean_query, place_of, places, rewrite, text_of
from secateurs.policy import SourcePlace

_dispatcher = get_dispatcher(__name__)


@documented(DocumentFields)
class SecateursPostprocessor(BaseNodePostprocessor, AdapterModel):
    """Cuts nodes down to the sentences that matter for the query; works as it is, with the bundled model.

    A kept sentence brings what it needs to be understood where it stands: the headings above it, a table's header,
    the list items it is under. That needs no setting; `neighbours` adds the sentences beside it.

    New nodes come back around copies, in order, with id, score, relationships, embedding and offsets; a node in
    which nothing passed is left out. `metadata["secateurs"]` says what was kept and saved, and is kept out of the
    LLM's prompt and of the embedding text. Its `spans` count from the start of the text the node came with. Where the
    node knows its place (`start_char_idx`) there are two more: `source_spans` say what of the document that it was
    cut from stands in its new text, and `text_spans` where each of those stands there.

    Nodes without text of their own (images, multimodal, blank) pass as they are and have no compression in the
    report; so do all nodes when there is no query, or with `on_error="keep"` on a failure.

    Nodes keep the score they were retrieved with and their order. With `rerank=True` they come back by falling
    ranking score, which then is their `score`, so that order and score agree; the score they came with is kept as
    `metadata["secateurs"]["retrieval_score"]`. Nodes without a ranking score follow, in order, with the score they
    came with. `top_n` returns the first so many of that order, all kinds of nodes counted.

    What a `RetrieverTool` hands on in place of the query, a description of its arguments, is turned back into it.

    The report goes out as a `SecateursReportEvent` between the `ReRankStartEvent` and the `ReRankEndEvent`.

    `compressor` and `on_report` are not serialized and not pickled: what is rebuilt loads the same checkpoint and
    reports to nobody. A copy shares them.

    Example:
        >>> from llama_index.core.schema import NodeWithScore, TextNode
        >>> page = TextNode(text="Ann Lee built the mill in 1842. Tickets cost five euros on Mondays.")
        >>> nodes = [NodeWithScore(node=page, score=0.8)]
        >>> SecateursPostprocessor().postprocess_nodes(nodes, query_str="Who built the mill?")[0].text
        'Ann Lee built the mill in 1842.'
    """

    @classmethod
    def class_name(cls) -> str:
        """Return the name under which the postprocessor is serialized."""
        return "SecateursPostprocessor"

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        settings = Settings.of(self)
        with self._traced(nodes, query_bundle, settings) as call:
            places = call.places if settings.distinct else None
            call.finish(self._runner.run(settings, call.query, call.texts, call.ids, places=places))
        return call.result

    @_dispatcher.span  # only abstract methods get their span by themselves
    async def _apostprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        settings = Settings.of(self)
        with self._traced(nodes, query_bundle, settings) as call:
            places = call.places if settings.distinct else None
            outcome = await self._runner.arun(settings, call.query, call.texts, call.ids, places=places)
            await call.afinish(outcome)
        return call.result

    @contextmanager
    def _traced(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None, settings: Settings
    ) -> Iterator[_Call]:
        """Announce a call and its end, whatever happens in between."""
        call = _Call(nodes, query_bundle, rerank=settings.rerank)
        name, many = settings.model_name, len(nodes) if settings.top_n is None else settings.top_n
        _dispatcher.event(ReRankStartEvent(query=query_bundle, nodes=nodes, top_n=many, model_name=name))
        payload: dict[str, Any] = {
            EventPayload.NODES: nodes,
            EventPayload.MODEL_NAME: name,
            EventPayload.QUERY_STR: call.query,
            EventPayload.TOP_K: many,
        }
        try:
            with self.callback_manager.event(CBEventType.RERANKING, payload=payload) as event:
                try:
                    yield call
                except Exception as error:  # with "keep" the runner raises nothing: a node cannot be read or copied
                    self._runner.give_up(settings, "the nodes are returned as they are", error)
                event.on_end(payload={EventPayload.NODES: call.result})
        finally:
            _dispatcher.event(ReRankEndEvent(nodes=call.result))

    def __getstate__(self) -> dict[str, Any]:
        # Not the parent's: it pickles every field to see whether it can, and drops with a warning what cannot.
        state = BaseModel.__getstate__(self)
        portable = {**state["__dict__"], **Settings.of(self).portable()}
        del portable["callback_manager"]  # belongs to the process, like its handlers
        return {**state, "__dict__": portable}

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        shared = {id(one): one for one in (self.compressor, self.on_report, self.callback_manager)}
        return super().__deepcopy__({**(memo or {}), **shared})


class _Call:
    """One call: the nodes, the text in them to compress, and what becomes of them."""

    def __init__(self, nodes: Sequence[NodeWithScore], query_bundle: QueryBundle | None, *, rerank: bool) -> None:
        self.query = "" if query_bundle is None else clean_query(query_bundle.query_str or "")
        self.ids = [scored.node.id_ for scored in nodes]
        self.result = list(nodes)
        self._rerank = rerank

    @property
    def texts(self) -> list[str | None]:
        """The text in each node; None where there is none."""
        return [text_of(scored.node) for scored in self.result]

    @property
    def places(self) -> list[SourcePlace | None]:
        """Where each node stands in its document."""
        return [place_of(scored.node) for scored in self.result]

    def finish(self, outcome: Outcome) -> None:
        """Send the report out, then put the compressed nodes in place."""
        _tell(outcome)
        self.result = [self._rewritten(self.result[one.index], one, outcome) for one in outcome.returned]

    async def afinish(self, outcome: Outcome) -> None:
        """Do what `finish` does without blocking the event loop."""
        _tell(outcome)
        result = []
        for one in outcome.returned:
            result.append(self._rewritten(self.result[one.index], one, outcome))
            await asyncio.sleep(0)  # copying what the user keeps in the metadata takes a while: the loop's turn
        self.result = result

    def _rewritten(self, scored: NodeWithScore, one: Returned, outcome: Outcome) -> NodeWithScore:
        if one.compression is None:
            return scored
        data = outcome.metadata(one.compression)
        data |= places(scored.node, one.compression)
        score = None if scored.score is None else float(scored.score)  # what was assigned to it may be numpy's
        ranking = one.ranking_score if self._rerank else None
        if ranking is not None:
            data["retrieval_score"], score = score, ranking
        node = rewrite(scored.node, one.compression.text, data)
        return scored.model_copy(update={"node": node, "score": score})


def _tell(outcome: Outcome) -> None:
    """Send the report out; raise what went wrong, if it is to be raised."""
    _dispatcher.event(SecateursReportEvent(report=outcome.report))
    outcome.check()
