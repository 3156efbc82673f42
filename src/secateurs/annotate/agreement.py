"""How often two orders of the same sentences get the same labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Label = int | None  # 1 needed, 0 not needed, None unknown


@dataclass(frozen=True, slots=True)
class Agreement:
    """Counts of sentences that were labelled in both orders; adds with `+` and `sum`.

    Attributes:
        both: 1 in both orders.
        first: 1 in the first order only.
        second: 1 in the second order only.
        neither: 0 in both orders.
    """

    both: int = 0
    first: int = 0
    second: int = 0
    neither: int = 0

    @property
    def sentences(self) -> int:
        """How many sentences were labelled in both orders."""
        return self.both + self.first + self.second + self.neither

    @property
    def share(self) -> float | None:
        """Share of sentences with the same label, in [0, 1]; None without sentences."""
        return (self.both + self.neither) / self.sentences if self.sentences else None

    @property
    def kappa(self) -> float | None:
        """Agreement beyond chance, at most 1; None where chance alone would agree always.

        Source:
            Cohen (1960), A coefficient of agreement for nominal scales.

        Example:
            >>> Agreement(both=20, first=5, second=10, neither=15).kappa
            0.4
        """
        n = self.sentences
        ones = (self.both + self.first) * (self.both + self.second)
        zeros = (self.second + self.neither) * (self.first + self.neither)
        beyond = n * n - ones - zeros
        return (n * (self.both + self.neither) - ones - zeros) / beyond if beyond else None

    def __add__(self, other: Agreement) -> Agreement:
        if not isinstance(other, Agreement):
            return NotImplemented
        return Agreement(
            self.both + other.both,
            self.first + other.first,
            self.second + other.second,
            self.neither + other.neither,
        )


def compare(first: Sequence[Label], second: Sequence[Label]) -> Agreement:
    """Count how two labellings of the same sentences agree.

    Args:
        first: Labels in the first order.
        second: Labels in the second order, of the same sentences in the same places.

    Returns:
        The counts, without sentences that either lacks.

    Example:
        >>> compare([1, 0, 1, None], [1, 0, 0, 1])
        Agreement(both=1, first=1, second=0, neither=1)
    """
    pairs = [pair for pair in zip(first, second, strict=True) if None not in pair]
    return Agreement(pairs.count((1, 1)), pairs.count((1, 0)), pairs.count((0, 1)), pairs.count((0, 0)))
