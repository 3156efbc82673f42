"""Words that point back at what was said before, in English and Chinese."""

from __future__ import annotations

import re

from secateurs.result.span import Sentence

_PARAGRAPH = 2  # line breaks that end one
_OPENERS = (
    # what it speaks of was named before
    "it|its|itself|this|that|these|those|they|their|theirs|them|he|his|him|she|her|hers|such"
    "|both|neither|either|one|another|others|the former|the latter|the same|the above"
    # it goes on from what was said before
    "|however|also|but|yet|so|and|or|nor|then|thus|hence|therefore|moreover|furthermore|besides|additionally"
    "|otherwise|instead|nevertheless|nonetheless|meanwhile|consequently|accordingly|similarly|likewise|conversely"
    "|afterwards?|subsequently|finally|still|in addition|in contrast|in turn|in that case|in this case|as a result"
    "|as such|for example|for instance|on the other hand|on the contrary|at the same time|after that|after this"
)
_CHINESE_OPENERS = (
    "它|牠|这|這|那(?!么多)|该|該|其(?!他|它|实|實|次|余|餘|中)|此|他(?!人|国|國)|她|如此|上述|前者|后者|後者|两者|兩者|二者|同样|同樣"
    "|但|然而|不过|不過|因此|因而|所以|于是|於是|从而|從而|而(?!言)|并且|並且|同时|同時|另外|另一方面|再者|例如|比如|否则|否則|然后|然後|随后|隨後|接着|接著"
)
_START = r"""[\s"'“”‘’「」『』《（(\[*_]{0,8}"""
_POINTS = re.compile(
    rf"{_START}(?:(?:{_OPENERS})(?:['’](?:s|re|ll|d|ve))?(?![\w'’-])|{_CHINESE_OPENERS})", re.IGNORECASE
)

_ENGLISH_WORDS = """
it it's its itself he he's him his himself she she's her hers herself they they're them their theirs themselves this
these those such here there former latter above below previous following same another other others both we we're our
ours us i i'm my mine me
"""
_WORDS = frozenset(_ENGLISH_WORDS.split())
_CHINESE_WORDS = re.compile(
    "[它牠他她其该該此这這那我]|上述|前者|[后後]者|本(?=[公法条條办辦规規市省区區县縣校院店站案文书書节節章])"
)


def points_back(text: str) -> bool:
    """Return whether a unit opens with a word that points back: it, this, however; 它, 这, 但.

    Example:
        >>> points_back("It was completed in 1889."), points_back("Italy won.")
        (True, False)
        >>> points_back("它建于1889年。"), points_back("其他人不知道。")
        (True, False)
    """
    return _POINTS.match(text) is not None


def leans_on(behind: Sentence, before: Sentence) -> bool:
    """Return whether a unit points back at the one before it, in the same paragraph.

    Example:
        >>> before = Sentence(0, 19, "The tower is iron. ", 0.2, False)
        >>> leans_on(Sentence(19, 45, "It was completed in 1889.", 0.9, True), before)
        True
    """
    breaks = before.text[len(before.text.rstrip()) :].count("\n")
    return before.end == behind.start and breaks < _PARAGRAPH and points_back(behind.text)


def is_pointing(word: str) -> bool:
    """Return whether an English word, in lower case, stands for something named elsewhere."""
    return word.replace("’", "'") in _WORDS


def holds_pointing(chinese: str) -> bool:
    """Return whether a Chinese text holds a word that stands for something named elsewhere."""
    return _CHINESE_WORDS.search(chinese) is not None
