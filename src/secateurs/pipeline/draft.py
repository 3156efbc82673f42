"""First step: a document is split into sentences, and each is tokenized and packed into windows behind the query."""

from __future__ import annotations

from secateurs.checkpoints import Checkpoint
from secateurs.result.span import Span
from secateurs.segment import Segmenter, check_tiling
from secateurs.windows.packing import WindowPlan
from secateurs.windows.tokenizer import Ids


def split(document: str, segmenter: Segmenter) -> tuple[Span, ...]:
    """Split a document; what does not tile it is an error.

    Raises:
        ValueError: The spans do not tile the document.
    """
    return tuple(check_tiling(segmenter(document), document))


def plan(document: str, spans: tuple[Span, ...], query: Ids, checkpoint: Checkpoint) -> WindowPlan:
    """Tokenize the sentences of a document, each once and by itself, and lay them out in windows.

    Args:
        document: The document.
        spans: Its sentences.
        query: Token ids of the query.
        checkpoint: Whose tokens and windows.
    """
    tokens = checkpoint.encode_sentences([document[start:end] for start, end in spans])
    return checkpoint.layout.plan(query, tokens)
