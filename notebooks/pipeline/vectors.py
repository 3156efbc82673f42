"""An embedding without a model: hashed words, weighted by how rare they are.

It needs no hub, no GPU and no language setting, and the figures that are measured with it do not change with the
bundled model. Where queries do not share words with the passages that answer them, use a sentence encoder.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

_WORDS = re.compile(r"[\u3400-\u9fff]+|\w+?(?=[\u3400-\u9fff]|\b)")


class WordVectors:
    """TF-IDF vectors of words (of Chinese, characters and pairs of them), hashed into a few thousand dimensions.

    Args:
        texts: What will be searched; it says which words are rare.
        width: Dimensions.

    Source:
        Salton and Buckley, Term-weighting approaches in automatic text retrieval (1988), and, for the signed hashes,
        Weinberger et al., Feature hashing for large scale multitask learning (2009).
    """

    def __init__(self, texts: Sequence[str], width: int = 2048) -> None:
        self._width = width
        self._documents = len(texts)
        self._found_in = Counter(word for text in texts for word in set(_words(text)))

    def queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed queries."""
        return self.sentences(texts)

    def sentences(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed passages: (texts, width), each row of length 1, or 0 where no word is known."""
        vectors = np.zeros((len(texts), self._width), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for word, times in Counter(_words(text)).items():
                hashed = crc32(word.encode("utf-8", "surrogatepass"))
                weight = (1 + math.log(times)) * math.log((self._documents + 1) / (self._found_in[word] + 1))
                row[hashed % self._width] += weight if hashed >> 31 else -weight
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def _words(text: str) -> list[str]:
    words = []
    for run in _WORDS.findall(text.lower()):
        if "\u3400" <= run[0] <= "\u9fff":
            words += [*run, *(run[place : place + 2] for place in range(len(run) - 1))]
        else:
            words.append(run)
    return words
