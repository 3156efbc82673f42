"""HTML and tags: nothing that stands in a text breaks out, of an element, an attribute or a tag of the caller's."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from unicodedata import normalize

import pytest
from generated import any_text
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_text_hidden import TRAPS

from secateurs import Compression, Savings, Sentence
from secateurs.serve.page import to_page
from secateurs.serve.tags import Tags

HOSTILE = [
    *("<em>", "</em>", "</mark>", "</s>", "</div></div>", "<script>alert(1)</script>", '"><script>alert(1)</script>'),
    *("'><img src=x onerror=alert(1)>", '" onmouseover="alert(1)', "' style='x", "<!--", "-->", "<![CDATA[", "]]>"),
    *("</style><style>*{}", "</script>", "</title>", "<base href=//x>", "<svg/onload=alert(1)>", "&lt;script&gt;"),
    *(
        "&#60;b&#62;",
        "&amp;lt;",
        "&quot;",
        "&",
        "&#",
        "&#x",
        "javascript:alert(1)",
        "`${alert(1)}`",
        "{{7*7}}",
        "<%= 7 %>",
    ),
    *(
        "\u0338",
        "\u0338script>",
        "a\u0338=\u0338",
        "＜script＞",
        "\x00<b>",
        "<b\x00>",
        "\ud800<b>",
        "\u2028</script>",
        "%3Cb%3E",
    ),
    *("<\n/em>", "</EM >", "<em", "em>", ">", "<", "[/b]", "**", "__", "[[", "]]", "}}", "<noscript>", "<plaintext>"),
    *(
        "<!-- policy -->",
        "<!-- static -->",
        'id="data">null</script>',
        '"pattern of hidden characters"',
        "\\u003c/script",
    ),
]
TAGS = [
    *(
        ("<em>", "</em>"),
        ("<mark class='a'>", "</mark>"),
        ('<a title="', '">'),
        ("<i data-x='", "'></i>"),
        ("**", "**"),
    ),
    *(
        ("[[", "]]"),
        ("{{", "}}"),
        ("<<<", ">>>"),
        ("-->", "<!--"),
        ("]]>", "<![CDATA["),
        ('"', '"'),
        ("'", "'"),
        ("`", "`"),
    ),
    *(
        ("「", "」"),
        ("\u0338<b>", "</b>"),
        ("%(", ")%"),
        ("\\begin{b}", "\\end{b}"),
        ("\u202e", "\u202c"),
        ("$", "$"),
    ),
]
relaxed = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=300)


class Page(HTMLParser):
    """The elements of a page, their attributes' names and values, and its comments."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.ends: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.comments: list[str] = []
        self.text: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Collect one."""
        self.tags.append(tag)
        self.attributes += attributes

    def handle_endtag(self, tag: str) -> None:
        """Collect one."""
        self.ends.append(tag)

    def handle_comment(self, data: str) -> None:
        """Collect one."""
        self.comments.append(data)

    def handle_data(self, data: str) -> None:
        """Collect some."""
        self.text.append(data)


def result(text: str, *, kept: bool = True, reason: str = "nothing_cut") -> Compression:
    """One text as a result of two sentences, the second of them cut."""
    rest = " It rained."
    sentences = (Sentence(0, len(text), text, 0.9, kept), Sentence(len(text), len(text + rest), rest, 0.1, not kept))
    return Compression(text if kept else rest, text + rest, sentences, Savings(9, 5), "compressed", reason)


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("text", [*HOSTILE, *TRAPS], ids=ascii)
def test_a_fragment_has_our_elements_and_no_others(text, kept):
    """In `to_html` and `_repr_html_` a hostile sentence or reason adds no element, attribute, comment or end."""
    plain = Page(result("It burned.", kept=kept).to_html())
    for one in (result(text, kept=kept), result("It burned.", kept=kept, reason=f"error: {text}")):
        html = one.to_html()
        assert one._repr_html_() == html
        for page in (html, normalize("NFC", html), html.encode("utf-8").decode("utf-8")):
            found = Page(page)
            hidden = len(one.hidden_characters)
            extra = ["div"] * bool(hidden) + ["span"] * hidden
            assert sorted(found.tags) == sorted([*plain.tags, *extra])
            assert sorted(found.ends) == sorted([*plain.ends, *extra])
            assert {name for name, _ in found.attributes} <= {"class", "title", "style"}
            assert all(
                re.fullmatch(r"--score:[\d.]+", value or "") for name, value in found.attributes if name == "style"
            )
            assert found.comments == []


@pytest.mark.parametrize("text", [*HOSTILE, *TRAPS], ids=ascii)
def test_a_saved_page_has_our_elements_and_no_others(text):
    """A page with a hostile query, source, sentence and model has the elements and attributes of a harmless one."""
    plain = Page(to_page("q", [("s", result("It burned."))], Savings(9, 5), model="m"))
    html = to_page(text, [(text, result(text))], Savings(9, 5), model=text)
    for page in (html, normalize("NFC", html)):
        found = Page(page)
        assert (found.tags, found.ends, found.comments) == (plain.tags, plain.ends, plain.comments)
        assert [name for name, _ in found.attributes] == [name for name, _ in plain.attributes]
    html.encode("utf-8")


@pytest.mark.parametrize("tags", TAGS, ids=ascii)
def test_no_text_begins_or_ends_a_tag(tags):
    """Whatever the tags, attributes too: they stand where they were put; without them the text is whole."""
    for text in HOSTILE:
        check_tags(text, *tags)


def check_tags(text: str, before: str, after: str) -> None:
    """Tag a text and look for each tag and for what markup is made of."""
    sentences = [
        Sentence(0, len(text), text, 0.9, True),
        Sentence(len(text), len(text) + 5, f" end{text[:1]}", 0.1, False),
    ]
    (fragment,) = Tags([before], [after]).whole(sentences, [True, False]).fragments
    many = 2 if before == after else 1
    assert fragment.count(before) == many
    assert fragment.count(after) == many
    rest = fragment.replace(before, "", 1).replace(after, "", 1)
    assert unescape(rest) == f"{text} end{text[:1]}" or "&#" in text or "\x00" in text
    assert not set(rest) & {"<", ">", '"', "'"}
    if before.startswith("<") and after.startswith("<") and before.endswith(">"):
        found = Page(f"<p>{normalize('NFC', fragment)}</p>")
        assert found.tags == ["p", *Page(before).tags]
        assert found.ends == [*Page(after).ends, "p"]


@relaxed
@given(any_text, st.sampled_from(TAGS))
def test_no_generated_text_begins_or_ends_a_tag(text, tags):
    """The same of any text: as many tags as matches, and no character left that markup is made of."""
    before, after = tags
    found = Tags([before], [after]).fragments([Sentence(0, len(text), text, 0.5, True)], [True]).fragments
    assert len(found) == bool(text.strip())
    for fragment in found:
        assert fragment.startswith(before)
        assert fragment.endswith(after)
        inner = fragment[len(before) : len(fragment) - len(after)]
        assert before not in inner
        assert after not in inner
        assert not set(inner) & {"<", ">", '"', "'"}


@pytest.mark.parametrize("attribute", ['title="{}"', "title='{}'"])
@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_an_escaped_text_stays_in_a_quoted_attribute(text, attribute):
    """What `Tags.plain` escapes can stand in an attribute, in either kind of quotes, and is its whole value."""
    escaped = Tags(["<em>"], ["</em>"]).plain(text)
    found = Page(f"<p {attribute.format(escaped)}>x</p>")
    assert found.tags == ["p"]
    assert [name for name, _ in found.attributes] == ["title"]
    assert found.text == ["x"]
