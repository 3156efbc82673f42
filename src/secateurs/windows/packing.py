"""From (query, sentences) as tokens to windows that know which tokens belong to which sentence.

Windows are filled with sentences greedily in document order, without overlap, and the query is repeated in each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from secateurs.result.token_scores import Ints
from secateurs.windows.tokenizer import Ids, Tokens


@dataclass(frozen=True)
class Template:
    """The control tokens around query and document, as ids, and the segment (token type) of each side.

    Attributes:
        before: Ids before the query.
        between: Ids between query and document.
        after: Ids after the document.
        document_type: Token type of the document's tokens and of `after`; the rest is type 0.
    """

    before: tuple[int, ...]
    between: tuple[int, ...]
    after: tuple[int, ...]
    document_type: int = 0

    @property
    def size(self) -> int:
        """Number of control tokens in a window."""
        return len(self.before) + len(self.between) + len(self.after)


@dataclass(frozen=True)
class Window:
    """One sequence for the encoder.

    Attributes:
        ids: Token ids, control tokens included.
        start: Index of the first document token.
        tokens: Number of document tokens.
        document_type: Token type from `start` on.
        query: First token of the query, and the one behind its last.
        parts: Tokens of each part of a sentence in it, in order.

    Shape:
        ids: (length,).
    """

    ids: Ids
    start: int
    tokens: int
    document_type: int = 0
    query: tuple[int, int] = (0, 0)
    parts: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class WindowPlan:
    """The windows of one document, and whose tokens they hold.

    Attributes:
        windows: In document order; their document tokens, one after another, are those of the parts.
        part_lengths: Tokens of each part of a sentence.
        part_sentences: Sentence index of each part.
        warnings: `"query_shortened"`, `"sentence_split"`.
    """

    windows: tuple[Window, ...]
    part_lengths: Ints
    part_sentences: Ints
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """How a checkpoint wants its windows.

    Attributes:
        template: Its control tokens.
        max_length: Encoder tokens of a window, control tokens included.
        part_of_window: Encoder tokens a sentence may have before it is cut into parts, as a share of the window.
    """

    template: Template
    max_length: int
    part_of_window: float = 0.5

    @property
    def query_limit(self) -> int:
        """Encoder tokens a query may take: three quarters of the window, and one token is the document's at least."""
        return min(self.max_length * 3 // 4, self.max_length - self.template.size - 1)

    @property
    def part_limit(self) -> int:
        """Encoder tokens a sentence may have before it is cut into parts; never more than a window has room for."""
        return int(self.max_length * self.part_of_window)

    def plan(self, query: Ids, sentences: Tokens) -> WindowPlan:
        """Pack the sentences of one document behind the query.

        Args:
            query: Token ids of the query; cut at its end where it is too long.
            sentences: Tokens of the document's sentences.

        Returns:
            Windows of at most `max_length` tokens in which every document token stands exactly once.
        """
        warnings = []
        if len(query) > self.query_limit:
            query = query[: self.query_limit]
            warnings.append("query_shortened")
        room = self.max_length - self.template.size - len(query)
        lengths, owners = split_parts(sentences.lengths, min(self.part_limit, room))
        if len(np.unique(owners)) < len(owners):
            warnings.append("sentence_split")
        head = np.array([*self.template.before, *query, *self.template.between], dtype=np.int32)
        tail = np.array(self.template.after, dtype=np.int32)
        windows = []
        first = part = 0
        ends = np.cumsum(lengths)
        where = (len(self.template.before), len(self.template.before) + len(query))
        for count in fill(lengths.tolist(), room):
            ids = np.concatenate((head, sentences.ids[first : first + count], tail))
            first += count
            last = int(np.searchsorted(ends, first)) + 1
            parts = tuple(lengths[part:last].tolist())
            windows.append(Window(ids, len(head), count, self.template.document_type, where, parts))
            part = last
        return WindowPlan(tuple(windows), lengths, owners, tuple(warnings))


def split_parts(lengths: Ints, limit: int) -> tuple[Ints, Ints]:
    """Cut sentences into consecutive parts of at most `limit` tokens.

    Args:
        lengths: Tokens of each sentence.
        limit: Most tokens of a part.

    Returns:
        The length of each part, and the sentence it belongs to. A sentence without tokens has no part.

    Shape:
        (sentences,) to two arrays of shape (parts,).

    Example:
        >>> [array.tolist() for array in split_parts(np.array([3, 0, 10]), 4)]
        [[3, 4, 4, 2], [0, 2, 2, 2]]
    """
    parts = -(-lengths // limit)
    owners = np.repeat(np.arange(len(lengths)), parts)
    sizes = np.full(len(owners), limit, dtype=np.int64)
    last = np.cumsum(parts)[parts > 0] - 1
    sizes[last] = lengths[parts > 0] - (parts[parts > 0] - 1) * limit
    return sizes, owners


def fill(lengths: Sequence[int], room: int) -> list[int]:
    """Fill windows greedily, in order.

    Args:
        lengths: Tokens of each part, none over `room`.
        room: Document tokens a window takes.

    Returns:
        Document tokens of each window.

    Example:
        >>> fill([3, 4, 4, 2], 8)
        [7, 6]
    """
    windows: list[int] = []
    for length in lengths:
        if windows and windows[-1] + length <= room:
            windows[-1] += length
        else:
            windows.append(length)
    return windows
