"""From text to encoder tokens, and back to where they stand.

Each text is tokenized on its own, as it stands. None ever turns into a control token: special tokens typed in a query
or document become the unknown id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import tokenizers
from numpy.typing import NDArray

from secateurs.result.token_scores import Ints, Offsets
from secateurs.support.fork import forked
from secateurs.support.surrogates import replace_surrogates

Ids = NDArray[np.int32]

_TEXTS_AT_ONCE = 4096  # bounds the memory of the tokenizer's own result objects on a huge document


@dataclass(frozen=True)
class Tokens:
    """Encoder tokens of consecutive texts.

    Attributes:
        ids: All token ids, text after text.
        lengths: Tokens of each text; may be 0.

    Shape:
        ids: (tokens,), lengths: (texts,).
    """

    ids: Ids
    lengths: Ints


class Tokenizer:
    """Text to ids for one checkpoint; holds no state that a call changes, so threads may share it.

    Args:
        tokenizer: The checkpoint's own pipeline (`tokenizer.json`).
        unknown_id: The id that stands for special tokens typed in a text.
        control_ids: Ids of control tokens that the pipeline itself may not mark as special.
    """

    def __init__(self, tokenizer: tokenizers.Tokenizer, unknown_id: int, control_ids: Sequence[int] = ()) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self._unknown_id = unknown_id
        added = tokenizer.get_added_tokens_decoder()
        special = {index for index, token in added.items() if token.special} | set(control_ids)
        self._special = np.array(sorted(special - {unknown_id}), dtype=np.int32)

    def encode(self, texts: Sequence[str]) -> Tokens:
        """Tokenize each text on its own, without control tokens.

        Args:
            texts: Any strings; lone surrogates count as U+FFFD.

        Returns:
            Their tokens.
        """
        ids: list[Ids] = []
        lengths: list[int] = []
        for some in _batches(texts):
            encoded = [encoding.ids for encoding in self._encodings(some, self._tokenizer.encode_batch_fast)]
            lengths.extend(map(len, encoded))
            ids.append(np.fromiter(chain.from_iterable(encoded), dtype=np.int32))
        flat = np.concatenate(ids) if ids else np.zeros(0, dtype=np.int32)
        flat[np.isin(flat, self._special)] = self._unknown_id
        return Tokens(flat, np.array(lengths, dtype=np.int64))

    def locate(self, texts: Sequence[str]) -> Offsets:
        """Find where the tokens that `encode` gives for the same texts stand, each in its own text.

        Args:
            texts: Any strings.

        Returns:
            One place a token, text after text, in code points. It takes about twice as long as `encode`.
        """
        places: list[Ids] = []
        for some in _batches(texts):
            encoded = [encoding.offsets for encoding in self._encodings(some, self._tokenizer.encode_batch)]
            places.append(np.fromiter(chain.from_iterable(chain.from_iterable(encoded)), dtype=np.int32))
        flat = np.concatenate(places) if places else np.zeros(0, dtype=np.int32)
        return Offsets(flat[0::2], flat[1::2])

    def _encodings(
        self, texts: Sequence[str], batch: Callable[..., list[tokenizers.Encoding]]
    ) -> list[tokenizers.Encoding]:
        if forked():  # the library's threads may be the parent's, and a batch would wait for them for ever
            return [self._tokenizer.encode(text, add_special_tokens=False) for text in texts]
        return batch(texts, add_special_tokens=False)


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    for first in range(0, len(texts), _TEXTS_AT_ONCE):
        yield [replace_surrogates(text) for text in texts[first : first + _TEXTS_AT_ONCE]]


class TokenizerOffsets:
    """An offset source that asks the tokenizer which made the tokens; knows no weights.

    Args:
        tokenizer: The checkpoint's tokenizer.
        sentences: How its family changes sentences before they are tokenized.
        read: Which units of the document it read.

    Shape:
        read: (units,).
    """

    def __init__(
        self, tokenizer: Tokenizer, sentences: Callable[[Sequence[str]], list[str]], read: NDArray[np.bool_]
    ) -> None:
        self._tokenizer = tokenizer
        self._sentences = sentences
        self._read = read

    def __call__(self, original: str, ends: Ints, lengths: Ints) -> Offsets:
        """Return the place of each token in `original`, never outside its sentence."""
        starts = np.concatenate((np.zeros(1, dtype=np.int64), ends[:-1]))[self._read]
        ends, lengths = ends[self._read], lengths[self._read]
        texts = [original[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
        read = self._sentences(texts)
        shifts = starts + np.array([_shift(text, one) for text, one in zip(texts, read, strict=True)], dtype=np.int64)
        found = self._tokenizer.locate(read)
        each, first, last = (np.repeat(values, lengths) for values in (shifts, starts, ends))
        return Offsets(*(np.clip(at + each, first, last).astype(np.int32) for at in (found.starts, found.ends)))


def _shift(text: str, read: str) -> int:
    """Return how far a position in the text as it was read is from the same position in the text."""
    return 0 if text == read else text.find(text.strip()) - read.find(text.strip())
