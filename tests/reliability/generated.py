"""Texts, queries and calls made by hypothesis: every script, every mark, half characters, markup, forged tokens."""

from __future__ import annotations

from hypothesis import strategies as st
from test_policy import policies
from texts import BOMBS, RUNS, SPECIAL, SURROGATES, UNICODE

from secateurs import Neighbours, Policy, Threshold, TokenBudget, TopK

# The first and last letters of the scripts that people write in, and of those that only libraries stumble over.
SCRIPTS = (
    *((0x20, 0x7E), (0xA0, 0x24F), (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x52F), (0x530, 0x58F), (0x590, 0x5FF)),
    *((0x600, 0x6FF), (0x700, 0x74F), (0x900, 0x97F), (0x980, 0x9FF), (0xB80, 0xBFF), (0xD80, 0xDFF), (0xE00, 0xE7F)),
    *((0xE80, 0xEFF), (0xF00, 0xFFF), (0x1000, 0x109F), (0x10A0, 0x10FF), (0x1100, 0x11FF), (0x1200, 0x137F)),
    *((0x1780, 0x17FF), (0x1800, 0x18AF), (0x2000, 0x206F), (0x20A0, 0x21FF), (0x2460, 0x27BF), (0x3000, 0x30FF)),
    *((0x3400, 0x3500), (0x4E00, 0x5E00), (0xAC00, 0xAD00), (0xD800, 0xDFFF), (0xE000, 0xE010), (0xFB00, 0xFDFF)),
    *(
        (0xFE00, 0xFEFF),
        (0xFF00, 0xFFFF),
        (0x1D400, 0x1D4FF),
        (0x1F000, 0x1FAFF),
        (0x20000, 0x20100),
        (0xE0000, 0xE007F),
    ),
)
MARKUP = [
    "<em>",
    "</mark>",
    '"><script>alert(1)</script>',
    "</div>",
    "<!--",
    "]]>",
    "&lt;",
    "&#60;",
    "'",
    '" onload=x ',
]
WORDS = [
    "The mill was built in 1842. ",
    "它烧毁过两次。",
    "Who knows? ",
    "Dr. Lee ",
    "3.14 ",
    "\n",
    "\n\n",
    "# ",
    "- ",
    "| a |\n",
    "```\n",
]
PIECES = [*WORDS, *MARKUP, *SPECIAL, *SURROGATES, *UNICODE, *BOMBS, *RUNS]


def _of_script(bounds: tuple[int, int]) -> st.SearchStrategy[str]:
    letters = st.integers(*bounds).map(chr)
    return st.lists(st.one_of(letters, letters, letters, st.sampled_from(" .!?。\n")), max_size=40).map("".join)


any_text = st.one_of(
    st.text(st.characters(codec=None, categories=None), max_size=80),
    st.lists(st.sampled_from(PIECES), max_size=25).map("".join),
    st.sampled_from(SCRIPTS).flatmap(_of_script),
    st.builds(
        lambda unit, times, end: unit * times + end,
        st.sampled_from(PIECES),
        st.integers(0, 30),
        st.sampled_from(WORDS),
    ),
)
any_query = any_text.filter(lambda text: bool(text.strip()))
any_documents = st.lists(any_text, min_size=4, max_size=16)
any_policy: st.SearchStrategy[Policy] = st.one_of(
    st.floats(0, 1).map(Threshold),
    st.builds(Threshold, st.floats(0, 1), st.sampled_from(["drop", "best", "original"])),
    st.integers(1, 9).map(TopK),
    st.integers(0, 99).map(TokenBudget),
    st.builds(Neighbours, st.integers(0, 3), st.integers(0, 3)),
    policies,
)
