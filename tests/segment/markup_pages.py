"""Pages made at random for the laws of markup, and an independent reader of tags to check what is left of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser

from hypothesis import strategies as st

from secateurs.segment.markup import add_markup
from secateurs.segment.units import Builder, Unit

OPTIONAL = {"li", "p", "tr", "td", "th", "dt", "dd", "option", "thead", "tbody"}
VOID = {"br", "hr", "img", "input"}
_CLOSES = {  # what an opening tag closes, and what it does not look beyond
    "li": ({"li", "p"}, {"ul", "ol"}),
    "td": ({"td", "th", "p"}, {"tr"}),
    "th": ({"td", "th", "p"}, {"tr"}),
    "tr": ({"tr", "td", "th", "p"}, {"table"}),
    "dt": ({"dt", "dd", "p"}, {"dl"}),
    "dd": ({"dt", "dd", "p"}, {"dl"}),
}
_BLOCK = {"p", "div", "article", "nav", "ul", "ol", "table", "h1", "h2", "h3", "section", "blockquote", "pre", "dl"}
_WORD = re.compile(r"[a-z]+\d+x")


def units(text: str) -> list[Unit]:
    """Cut a text, all of it markup."""
    build = Builder(text)
    add_markup(build, len(text), (), "en")
    return build.units()


def kept(cut: Sequence[Unit], chosen: Iterable[int]) -> list[int]:
    """Return the chosen units and what they need, in order."""
    found: set[int] = set()
    todo = list(chosen)
    while todo:
        index = todo.pop()
        if index not in found:
            found.add(index)
            todo += cut[index].frame
    return sorted(found)


def text_of(text: str, cut: Sequence[Unit], chosen: Iterable[int]) -> str:
    """Return what is left of a text."""
    return "".join(text[cut[index].start : cut[index].end] for index in kept(cut, chosen))


class Reader(HTMLParser):
    """Reads tags onto a stack; a closing tag without its element, or one left open that must not be, is a fault.

    Attributes:
        paths: For each word, the tags around it, as they stand in the source, but for those of inline elements.
        cells: For each row, how many cells it has, by its first word.
        faults: What is wrong.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.stack: list[tuple[str, str]] = []
        self.paths: dict[str, tuple[str, ...]] = {}
        self.faults: list[str] = []
        self.feed(text)
        self.close()
        self.faults += [name for name, _ in self.stack if name not in OPTIONAL]

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag in VOID:
            return
        closed, within = _CLOSES.get(tag, (set(), set()))
        self._close_to(closed, within)
        if tag in _BLOCK:
            self._close_to({"p"}, {"td", "th", "li", "dd"})
        self.stack.append((tag, self.get_starttag_text() or ""))

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        pass

    def _close_to(self, closed: set[str], within: set[str]) -> None:
        lowest = None
        for index in range(len(self.stack) - 1, -1, -1):
            if self.stack[index][0] in within:
                break
            if self.stack[index][0] in closed:
                lowest = index
        if lowest is not None:
            self._pop(lowest)

    def _pop(self, level: int) -> None:
        self.faults += [f"{name} is left open" for name, _ in self.stack[level:] if name not in OPTIONAL]
        del self.stack[level:]

    def handle_endtag(self, tag: str) -> None:
        level = next((i for i in range(len(self.stack) - 1, -1, -1) if self.stack[i][0] == tag), None)
        if level is None:
            self.faults.append(f"{tag} closes nothing")
            return
        self._pop(level + 1)
        del self.stack[level]

    def handle_data(self, data: str) -> None:
        for word in _WORD.findall(data):
            self.paths[word] = tuple(tag for _, tag in self.stack)


@dataclass
class Page:
    """A page in the making: each word of it is there once.

    Attributes:
        parts: The source so far.
        explicit: Whether end tags that may be left out are written.
    """

    explicit: bool
    parts: list[str] = field(default_factory=list)
    count: int = 0

    def word(self, kind: str = "w") -> str:
        """Make a word; `h` is for what is hidden."""
        self.count += 1
        return f"{kind}{self.count}x"


Node = tuple  # ("kind", what it holds)

_words = st.integers(1, 4).map(lambda count: ("words", count))
_inline = st.recursive(
    _words,
    lambda inner: st.tuples(
        st.sampled_from(["b", "I", "a", "span", "code"]), st.lists(inner, min_size=1, max_size=3)
    ),
    max_leaves=4,
)
_piece = st.one_of(_inline, st.sampled_from([(one,) for one in ("stop", "br", "img", "comment", "entity", "hidden")]))
_flow = st.lists(_piece, min_size=1, max_size=7).map(lambda pieces: ("flow", pieces))
_cell = st.one_of(_flow, st.just(("long",)))


def _blocks(inner: st.SearchStrategy) -> st.SearchStrategy:
    some = st.lists(st.one_of(inner, _flow), min_size=1, max_size=3)
    return st.one_of(
        st.tuples(st.sampled_from(["div", "SECTION", "blockquote", "article", "doc"]), some),
        st.tuples(st.just("p"), st.tuples(_flow)),
        st.tuples(st.sampled_from(["h1", "h2", "h3"]), st.tuples(_flow)),
        st.tuples(st.sampled_from(["ul", "ol"]), st.lists(some, min_size=1, max_size=3)),
        st.tuples(st.just("table"), st.lists(st.lists(_cell, min_size=2, max_size=2), min_size=1, max_size=3)),
        st.tuples(st.just("dl"), st.lists(st.tuples(_flow, _flow), min_size=1, max_size=2)),
        st.sampled_from([("script",), ("comment",), ("nav",), ("hr",), ("gone",), ("empty",), ("pre",)]),
    )


_page = st.lists(
    st.recursive(st.tuples(st.just("p"), st.tuples(_flow)), _blocks, max_leaves=8), min_size=1, max_size=4
)

_SIMPLE = {
    "stop": ". So ",
    "br": "<br/>",
    "img": "<img src='a>b.png' alt=\"x > y\">",
    "entity": " &amp;&nbsp;&lt;p&gt; ",
    "hr": "<hr>\n",
    "empty": "<div class='e'><i></i></div>",
}
_HIDDEN = {
    "comment": "<!-- {} <b> -->",
    "hidden": "<span style='display:none'>{}. {}</span>",
    "script": "<script>if (a < b) {{ '{}</p>' }}</script>",
    "nav": "<nav><ul><li>{}</li></ul></nav>\n",
    "gone": "<div hidden><p>{}</p></div>",
}


def _render(page: Page, node: Node) -> str:  # noqa: C901  one branch for each kind of node
    kind, rest = node[0], node[1:]
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    if kind in _HIDDEN:
        return _HIDDEN[kind].format(page.word("h"), page.word("h"))
    if kind == "words":
        return " ".join(page.word() for _ in range(rest[0]))
    if kind == "long":
        return "".join(f"So {' '.join(page.word() for _ in range(8))}. " for _ in range(15))
    if kind == "pre":
        return f"<pre>\n  {page.word()} {{\n\n    {page.word()}\n  }}\n</pre>\n"
    inner = rest[0]
    if kind == "flow":
        return "".join(_render(page, one) for one in inner)
    end = "" if not page.explicit else "</{}>"
    if kind in ("ul", "ol"):
        items = ("\n  <li>" + "".join(_render(page, one) for one in item) + end.format("li") for item in inner)
        return f"<{kind}>{''.join(items)}\n</{kind}>"
    if kind == "table":
        return f"<table>{''.join(_row(page, row, index, end) for index, row in enumerate(inner))}</table>\n"
    if kind == "dl":
        pairs = (
            f"<dt>{_render(page, one)}{end.format('dt')}<dd>{_render(page, other)}{end.format('dd')}"
            for one, other in inner
        )
        return f"<dl>{''.join(pairs)}</dl>"
    attribute = f" title='{page.count} > 0'" if page.count % 3 == 0 else ""
    if kind == "doc" and not page.explicit:
        kind = "div"  # only what HTML knows ends a paragraph
    closing = end.format(kind) if kind == "p" else f"</{kind}>"
    return f"<{kind}{attribute}>{''.join(_render(page, one) for one in inner)}{closing}" + "\n" * (page.count % 2)


def _row(page: Page, cells: Sequence[Node], index: int, end: str) -> str:
    name = "td" if index else "th"
    inner = (f"<{name}>{_render(page, cell)}{end.format(name)}" for cell in cells)
    return f"<tr>{''.join(inner)}{end.format('tr')}"


@st.composite
def pages(draw: st.DrawFn) -> str:
    """Draw a page: nested blocks, lists, tables, inline elements, what is hidden, end tags that are left out."""
    page = Page(explicit=draw(st.booleans()))
    return "".join(_render(page, node) for node in draw(_page))
