"""Units of HTML and XML: what is one, what each needs, and that hostile input stays linear."""

from __future__ import annotations

import pytest
from growth import LINEAR, grows
from hypothesis import given
from hypothesis import strategies as st
from markup_pages import Reader, kept, text_of, units

from secateurs.segment.markup import add_markup, is_markup, markup_end, markup_ends
from secateurs.segment.markup.tags import find_tags
from secateurs.segment.prose import tile
from secateurs.segment.units import LONGEST, Builder

OTHER = ["The weather was mild.", "Bob Ray had a shop.", "The river is long."]


def said(text: str) -> list[str]:
    """Return the units that are scored, stripped."""
    return [text[unit.start : unit.end].strip() for unit in units(text) if not unit.pure]


def left(text: str, *wanted: str) -> str:
    """Return what is left when the units with these words are kept."""
    cut = units(text)
    chosen = [
        index
        for index, unit in enumerate(cut)
        if not unit.pure and any(word in text[unit.start : unit.end] for word in wanted)
    ]
    assert chosen
    return text_of(text, cut, chosen)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("<p>It rained.</p><p>It snowed.</p>", ["It rained.", "It snowed."]),
        ("Hello there.<br/>How are you?", ["Hello there.<br/>", "How are you?"]),
        ("Hello there.<br>How are you?", ["Hello there.<br>", "How are you?"]),
        ("<li>One is here.</li><li>Two is there.</li>", ["One is here.", "Two is there."]),
        # neighbours
        ("<div>It rained.<hr>It snowed.</div>", ["It rained.<hr>", "It snowed."]),
        ("<TD>It rained.</TD><TD>It snowed.</TD>", ["It rained.", "It snowed."]),
        ("<p>It rained.<p>It snowed.", ["It rained.", "It snowed."]),
        ("<dt>Oil</dt><dd>Change it.</dd>", ["Oil", "Change it."]),
        ("<p>下雨了。</p><p>下雪了。然后停了。</p>", ["下雨了。", "下雪了。", "然后停了。"]),
        ("<p>It rained.&nbsp;It&#32;snowed.</p>", ["It rained.&nbsp;", "It&#32;snowed."]),
        ("<p>It rained.<sup>[1]</sup> It snowed.</p>", ["It rained.<sup>[1]</sup>", "It snowed."]),
    ],
)
def test_a_stop_before_a_tag_ends_a_sentence(text, parts):
    """A sentence ends where its element or its line does, and each is a unit."""
    assert said(text) == parts


@pytest.mark.parametrize(
    "wrap",
    [
        "<html><body>{}</body></html>",
        "<div><div>{}</div></div>",
        "<!doctype html>\n<html>\n<head>\n<meta b=c>\n</head>\n<body class='a > b'>\n{}\n</body>\n</html>\n",
        "<main><article>{}</article></main><footer>(c)</footer>",
        "{}",
        "<doc id='1'>{}</doc>",
    ],
)
def test_the_answer_stands_alone(wrap):
    """On a page of sentences, all on one line, the one that answers is left with the elements around it alone."""
    answer = "Ann Lee built the mill in 1842."
    body = "".join(f"<p>{one}</p>" for one in [*OTHER * 3, answer, *OTHER])
    text = wrap.format(body)
    assert is_markup(text)
    out = left(text, answer)
    assert f"<p>{answer}</p>" in out.replace("\n", "")
    assert not Reader(out).faults
    assert not any(one in out for one in OTHER)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "<doc id='16'>Moon. Sun.</doc>\n\n<doc id='17'>It burned. Ann built it.</doc>",
            "<doc id='17'>Ann built it.</doc>",
        ),
        (
            "<result n=1><p>Tides.</p></result><result n=2><p>Ann built it.</p></result>",
            "<result n=2><p>Ann built it.</p>",
        ),
        (
            "<document><source>a.txt</source><document_content>\nIt burned. Ann built it.\n</document_content>"
            "</document>",
            "<source>a.txt</source><document_content>\nAnn built it.\n</document_content></document>",
        ),
        (
            "<item><title>Mill</title><link>https://a.b</link><body>It burned. Ann built it.</body></item>",
            "<item><title>Mill</title><link>https://a.b</link><body>Ann built it.</body></item>",
        ),
        ("<文档 编号='17'>烧了。安建造了它。 Ann</文档>", "<文档 编号='17'>"),
        ("<think>It burned. Ann built it. So.</think>", "<think>Ann built it. </think>"),
    ],
)
def test_a_sentence_keeps_its_source(text, wanted):
    """What is kept of a document in a wrapper keeps the wrapper and the elements that name the source."""
    out = left(text, "Ann")
    assert wanted in out
    assert "Tides" not in out
    assert "burned" not in out
    assert out.count("<doc ") <= 1


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("<p><b>One is. Two is.</b></p>", ["One is.", "Two is."]),
        ("<p>So <i>one is. Two</i> is.</p>", ["So <i>one is. Two</i> is."]),
        ("<p>One <b>is</b>. <a href='x'>Two</a> is.</p>", ["One <b>is</b>.", "<a href='x'>Two</a> is."]),
        ("<p><b>One is.</b> <b>Two is.</b></p>", ["<b>One is.</b>", "<b>Two is.</b>"]),
        ("<p><b><i>One is. Two</b></i> is. Three is.</p>", ["<b><i>One is. Two</b></i> is.", "Three is."]),
        (
            "<a href=a>A</a> | <a href=b>B</a> | <a href=c>C</a>",
            ["<a href=a>A</a> |", "<a href=b>B</a> |", "<a href=c>C</a>"],
        ),
    ],
)
def test_inline_elements_stay_whole(text, parts):
    """No sentence is cut inside an inline element; an element of whole sentences is frame of each."""
    assert said(text) == parts
    for part in parts:
        assert not Reader(left(text, part)).faults or "<b><i>" in part


def test_a_sentence_with_something_hidden_stays_whole():
    """What nobody sees is cut out of a sentence, but the sentence's halves need each other."""
    assert left("<p>One <!-- hidden --> is. Two is.</p>", "One") == "<p>One is. </p>"


@pytest.mark.parametrize(
    "hidden",
    [
        "<script>if (a < b) { '</p>' }</script>",
        "<STYLE>p > b {}</STYLE>",
        "<!-- <p>Ann</p> -->",
        "<nav><a>Ann</a></nav>",
        "<div hidden><p>Ann</p></div>",
        "<span aria-hidden='true'>Ann</span>",
        "<p style='color: red; DISPLAY : none'>Ann</p>",
        "<template><p>Ann</p></template>",
        "<svg><text>Ann</text></svg>",
    ],
)
def test_what_nobody_sees_is_frame_of_nothing(hidden):
    """Scripts, comments, navigation and hidden elements are never scored and never needed."""
    text = f"<body>{hidden}<p>One is.</p>{hidden} two</body>"
    assert said(text) == ["One is.", "two"]
    assert left(text, "One") == "<body><p>One is.</p></body>"


def test_the_head_goes_but_for_the_title():
    """Of a page's head only the title is text, and all that is kept keeps it, with its tags."""
    text = "<html><head><meta a><title>Mill</title><link b></head><body><p>One is.<p>Two is.</body></html>"
    assert left(text, "One") == "<html><head><title>Mill</title></head><body><p>One is.</body></html>"


def test_headings_are_the_path_of_what_stands_under_them():
    """A kept text keeps the headings above it, from the highest to the nearest, and no other."""
    text = "<h1>A</h1><p>a.</p><h2>B</h2><p>b.</p><h3>C</h3><p>c.</p><h2>D</h2><div><p>d.</p></div>"
    assert left(text, "c.") == "<h1>A</h1><h2>B</h2><h3>C</h3><p>c.</p>"
    assert left(text, "d.") == "<h1>A</h1><h2>D</h2><div><p>d.</p></div>"


def test_a_heading_ends_with_its_section():
    """What follows a section does not stand under its heading; a heading in a wrapper of its own counts on."""
    text = "<article><header><h2>A</h2></header><p>a.</p></article><p>b.</p>"
    assert left(text, "a.") == "<article><header><h2>A</h2></header><p>a.</p></article>"
    assert left(text, "b.") == "<p>b.</p>"


@given(st.lists(st.integers(1, 4), min_size=1, max_size=9), st.data())
def test_the_nearest_heading_is_its_own(levels, data):
    """Whatever is kept of a flat page: the headings before a text that is left are those that were above it."""
    text = "".join(f"<h{level}>H{number} t</h{level}><p>p{number} t.</p>" for number, level in enumerate(levels))
    number = data.draw(st.integers(0, len(levels) - 1))
    path: list[int] = []
    for at in range(number + 1):
        path = [*(one for one in path if levels[one] < levels[at]), at]
    expected = "".join(f"<h{levels[one]}>H{one} t</h{levels[one]}>" for one in path)
    assert left(text, f"p{number} t.") == f"{expected}<p>p{number} t.</p>"


def test_rows_keep_headers():
    """A row is a unit; it keeps the caption, the header rows, and the header of its group."""
    text = (
        "<table><caption>Cap</caption><tr><th>A<th>B<tr><th colspan=2>One<tr><td>1<td>2"
        "<tr><th colspan=2>Two<tr><td>3<td>4</table>"
    )
    cap = "<table><caption>Cap</caption><tr><th>A<th>B"
    assert left(text, "<td>2") == f"{cap}<tr><th colspan=2>One<tr><td>1<td>2</table>"
    assert left(text, "<td>4") == f"{cap}<tr><th colspan=2>Two<tr><td>3<td>4</table>"


def test_a_row_under_a_cell_of_several_rows_keeps_that_row():
    """A cell that spans rows would change columns without its row."""
    text = "<table><tr><td rowspan=2>Sales<td>1</tr><tr><td>2</tr><tr><td>Oil<td>3</tr></table>"
    assert left(text, "<td>2") == "<table><tr><td rowspan=2>Sales<td>1</tr><tr><td>2</tr></table>"
    assert left(text, "<td>3") == "<table><tr><td>Oil<td>3</tr></table>"


def test_a_long_row_is_cut_but_keeps_its_cells():
    """Of a row with a long cell sentences are kept, and the tags of all its cells."""
    long = " ".join(f"Sentence {number} is here." for number in range(40))
    out = left(f"<table><tr><td>a</td><td>{long}</td><td></td></tr></table>", "Sentence 7 ")
    assert out == "<table><tr><td></td><td>Sentence 7 is here. </td><td></td></tr></table>"


def test_nested_items_keep_the_item_around_them():
    """An item of a list inside an item keeps the outer item's own text, and not that of its neighbours."""
    text = "<ul><li>Admin may<ul><li>read.<li>write.</ul><li>Editor may<ul><li>look.</ul></ul>"
    assert left(text, "write") == "<ul><li>Admin may<ul><li>write.</ul></ul>"
    assert left(text, "look") == "<ul><li>Editor may<ul><li>look.</ul></ul>"


def test_definitions_keep_their_terms():
    """A definition keeps the term that it defines, a text inside details their summary."""
    text = "<dl><dt>Oil</dt><dd>Change it. Soon.</dd><dt>Air</dt><dd>Clean it.</dd></dl>"
    assert left(text, "Soon") == "<dl><dt>Oil</dt><dd>Soon.</dd></dl>"
    assert left("<details><summary>More</summary><p>Who? B c.</p></details>", "B c") == (
        "<details><summary>More</summary><p>B c.</p></details>"
    )


def test_code_keeps_its_white_space():
    """A short `pre` is one unit of code, a long one is cut at its blank lines; no sentence ends in it."""
    short = "<pre><code>a = b.  C\n    d</code></pre>"
    assert said(short) == ["<code>a = b.  C\n    d</code>"]
    block = "\n".join(f"    line {number}" for number in range(8))
    cut = units(f"<pre>\n{block}\n\n{block}\n</pre>")
    assert [unit.kind for unit in cut] == ["tag", "code", "code", "tag"]


@pytest.mark.parametrize(
    ("text", "records"),
    [
        (
            "<urlset><url><loc>a</loc></url><url><loc>b</loc></url></urlset>",
            ["<url><loc>a</loc></url>", "<url><loc>b</loc></url>"],
        ),
        (
            "<users><user id='1' name='Ann'/><user id='2' name='Bob'/></users>",
            ["<user id='1' name='Ann'/>", "<user id='2' name='Bob'/>"],
        ),
        ("<a><title>T</title><link>l</link></a>", ["<title>T</title>", "<link>l</link>"]),
        ("<r><s><t a='1'>x</t><t a='2'>y</t></s></r>", ["<t a='1'>x</t>", "<t a='2'>y</t>"]),
        ("<r><d>One is. Two is.</d></r>", ["One is.", "Two is."]),
    ],
)
def test_records_stay_whole(text, records):
    """A short element of XML is one unit with its tags, but not a list of such, and not sentences."""
    assert said(text) == records


def test_plain_text_inside_is_left_to_others():
    """Text of several lines in an element that HTML does not have goes to whoever knows it, with its frame."""
    text = "<doc>\n# Oil\n\n- a\n- b\n</doc><p>c\nd</p>"
    seen = []

    def inner(build, end, frame, language):
        seen.append((build.text[build.at : end], tuple(frame), language))
        build.add(end, "prose", frame)

    build = Builder(text)
    add_markup(build, len(text), (), "en", inner=inner)
    assert seen == [("\n# Oil\n\n- a\n- b\n", (0,), "en")]
    assert "".join(text[unit.start : unit.end] for unit in build.units()) == text


def test_a_piece_between_others():
    """Markup between other things begins where they end, and its units need what they are told to."""
    text = "# Oil\n<p>One.</p>\nrest"
    build = Builder(text)
    heading = build.add(6, "heading")
    add_markup(build, 18, (heading,), None)
    build.add(len(text), "prose")
    assert [unit.frame for unit in build.units()] == [(), (0, 3), (1,), (1,), ()]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("was here. It is.</p></div><div><p>One is. Tw", ["was here.", "It is.", "One is.", "Tw"]),
        ("<p>One is.</div></p>Two is.</span>", ["One is.", "Two is.</span>"]),
        ("<td>a</td></tr><tr><td>b</td></tr></table><p>c", ["a", "<tr><td>b</td></tr>", "c"]),
        ("<b>One is.<p>Two is.</b></p>", ["One is.", "Two is.</b>"]),
    ],
)
def test_pieces_of_a_page(text, parts):
    """A chunk that begins and ends inside elements is cut all the same, and nothing is lost."""
    assert said(text) == parts


def test_hopeless_tags_are_text():
    """Where the tags say nothing the text is cut in sentences, with the tags inside and no frames."""
    text = "<div><p>One is.</ul></b></li></i> Two is.</table></tr></td></dl></div>"
    assert [unit.frame for unit in units(text)] == [(), ()]
    assert said(text) == ["<div><p>One is.</ul></b></li></i>", "Two is.</table></tr></td></dl></div>"]


@pytest.mark.parametrize(
    "text",
    [
        "<p>It rained.</p>",
        "Hello there.<br/>How are you?",
        "<doc id='16'>A.</doc>\n\n<doc id='17'>B.</doc>",
        "\ufeff<?xml version='1.0'?><rss><channel><title>x</title></channel></rss>",
        "<!doctype html><html><body><p>x</body></html>",
        "rest of it.</p>\n<p>And more.</p>\n<p>Third",
        "<users><user id='1' name='Ann'/></users>",
        "<html><body><div><div><p>chunk cut",
        "<!-- c -->\n<div>x</div>",
        "<b>Bold</b> text here.<br>And <i>more</i>.",
        "<文档>内容在这里。</文档>",
    ],
)
def test_what_is_markup(text):
    """HTML, XML, wrapped documents and pieces of pages are markup."""
    assert is_markup(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<",
        "# T\n\na<br>b",
        "- a <br> b\n- c <br> d",
        "List<String> x = new ArrayList<>();",
        "std::vector<int> v; std::map<std::string, int> m;",
        "if a < b and c > d: pass",
        "Ann <ann@x.org> wrote <https://x.org>",
        "<alice> hi\n<bob> hello\n<alice> bye",
        "<13>Jan 1 host: message",
        "<p align='center'><img src=x></p>\n\n# Title\n\nSome long description of this project goes here.\n",
        "<Frame>\n<img/>\n</Frame>\n\nText of a Markdown page that is much longer than the tags are.",
        "<head>\n  <link rel='a' href='b' />\n\n## Attributes\n\n- one\n- two",
        "Use <version> to set the version. Then run it.",
        "<script setup>\nimport x\n</script>\n<template>\n<div>{{x}}</div>\n</template>",
    ],
)
def test_what_is_not_markup(text):
    """Markdown with some HTML in it, code, addresses and chats are no markup."""
    assert not is_markup(text)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("<details>\n\nx\n</details>\ny", 4),
        ("<div>\n\n# A\n\ntext", 1),
        ("<div><div>\n\n</div>\n\n</div>\ny", 5),
        ("<hr>\nx", 1),
        ("<br> and so\nx", 0),
        ("<a name=x></a>\n## H\n", 1),
        ("<a href=x>\n  <img src=y>\n</a>\n\ntext", 3),
        ("<b>Note</b> text\nx", 0),
        ("<Frame>\n<img/>\n\n</Frame>\nx", 4),
        ("<Card a='b'\n  c='d'\n/>\nx", 3),
        ("<alice> hi\n<bob> ho\n", 0),
        ("<https://a.b>\nx", 0),
        ("<!-- a\n\nb -->\nx", 3),
        ("<style>\np{}\n\nq{}\n</style>\nx", 5),
        ("<doc id='1'>A. B.</doc>\n\nx", 1),
        ("<doc>\n\n" + "x\n" * 200 + "</doc>\ny", 203),
        ("  <table>\n<tr><td>x\n\n</table>", 4),
        ("</div>\nx", 1),
        ("text <div>\n</div>", 0),
    ],
)
def test_where_a_block_of_html_ends(text, end):
    """A block inside Markdown goes to the tag that closes it, over blank lines; without one, to the next of these."""
    lines = text.splitlines(keepends=True)
    assert markup_end(lines, 0) == end
    assert markup_ends(lines).get(0, 0) == end


@given(st.text(alphabet="<>/!-=\"'`& ab\n\x00\ud800p[]?", max_size=60))
def test_any_text_is_tiled(text):
    """Any characters at all are cut into units that tile them, and nothing is raised."""
    cut = units(text)
    assert "".join(text[unit.start : unit.end] for unit in cut) == text
    for index in range(len(cut)):
        kept(cut, [index])
    is_markup(text)
    markup_ends(text.splitlines(keepends=True))


@given(st.text(alphabet="<>/!-=\"'` ap\n[]", max_size=60))
def test_tags_are_in_order(text):
    """Tags neither overlap nor leave the text, and each begins with what a tag does."""
    at = 0
    for tag in find_tags(text, 0, len(text)):
        assert at <= tag.start < tag.end <= len(text)
        assert text[tag.start] == "<" or text[tag.start : tag.end] == "]]>"
        at = tag.end


HOSTILE = [
    "<", "<a ", "<a b='", "<!--", "<!-- >", "<![CDATA[", "<?", "</", "<div>", "</div>", "<b>", "<b>A b. C d. ",
    "<b><i>A. B</b></i>", "<i>. A", "<li>x", "<ul><li>x", "<table><tr><td>x", "<tr><th>x", "<h1>a",
    "<dt>a<dd>b", "<br>", "<x>a ", "a <x>", "<r><name>a</name></r>", "<user id=1 />", "<pre>a\n\n",
    "<!-- a --> b ", "&amp;", "<script>", "`<b>`", "```\n<b>\n",
]  # fmt: skip


@pytest.mark.parametrize("unit", HOSTILE)
def test_hostile_markup_is_linear(unit):
    """Twice as much of anything takes twice the time."""
    assert grows(lambda text: (is_markup(text), units(text)), unit, 16_000) <= LINEAR


@pytest.mark.parametrize("unit", ["<div>\n\n", "<alice> hi\n", "<!--\n", "<b>\n\n", "<https://a.b>\n", "</p>\n"])
def test_all_blocks_of_a_text_are_found_in_linear_time(unit):
    """To find every block of HTML in a text is linear, too, where nothing closes any."""
    assert grows(lambda text: markup_ends(text.splitlines(keepends=True)), unit, 64_000) <= LINEAR


def test_deep_nesting_is_no_trouble():
    """Ten thousand elements inside each other take no recursion; the text in them keeps them all."""
    text = "<div>" * 10_000 + "One is. Two is." + "</div>" * 10_000
    assert said(text) == ["One is.", "Two is."]
    assert left(text, "Two") == text.replace("One is. ", "")


def test_no_unit_is_too_long():
    """A text without stops is cut at white space, one without white space is not."""
    words = "<p>" + "word <b>bold</b> " * 2000 + "</p>"
    cut = units(words)
    assert all(unit.end - unit.start <= LONGEST for unit in cut)
    assert len(cut) > 5
    assert len(tile("x" * 9000, [])) == len(said(f"<p>{'x' * 9000}</p>")) == 1
