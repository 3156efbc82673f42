"""Lines that name a source, and marks of speakers: what is under them needs them; what only looks so is prose."""

from __future__ import annotations

import pytest
from shown import kinds, needs, shown

from secateurs.segment import units

SOURCES = {
    "numbered": (
        "[1] Mills (https://a.example)\nAnn built it.\n\n[2] Tides (https://b.example)\nThe moon does it.\n",
        {"Ann": {"[1] Mills (https://a.example)"}, "moon": {"[2] Tides (https://b.example)"}},
    ),
    "numbered in Chinese": (
        "【1】磨坊\n安建了它。\n\n【2】潮汐\n月亮引起潮汐。\n",
        {"安建": {"【1】磨坊"}, "月亮": {"【2】潮汐"}},
    ),
    "title and url": (
        "Title: Tides\nURL: https://b.example\nContent: The moon does it.\n\nTitle: Mill\nURL: https://a.example\n"
        "Content: Ann built it. It burned.\n",
        {"moon": {"Title: Tides", "URL: https://b.example", "Content:"},
         "burned": {"Title: Mill", "URL: https://a.example", "Content:"}},
    ),
    "in Chinese": (
        "标题：潮汐\n链接：https://b.example\n正文：月亮引起潮汐。\n\n标题：磨坊\n来源：海岸报\n正文：安建了它。\n",
        {"月亮": {"标题：潮汐", "链接：https://b.example", "正文："}, "安建": {"标题：磨坊", "来源：海岸报", "正文："}},  # noqa: E501 - wide characters
    ),
    "mail": (
        "From: Ann\nTo: Bob\nSubject: Mill\n\nIt burned.\n\nFrom: Bob\nTo: Ann\n\nAgain?\n",
        {"burned": {"From: Ann", "To: Bob", "Subject: Mill"}, "Again": {"From: Bob", "To: Ann"}},
    ),
    "a mail under a mail": (
        "From: Ann\nSubject: RE: Mill\n\nI pay 7.\n\n"
        "-----Original Message-----\nFrom: Bob\nSent: Monday\n\nIt is 5.\n",
        {"I pay": {"From: Ann", "Subject: RE: Mill"},
         "It is": {"-----Original Message-----", "From: Bob", "Sent: Monday"}},
    ),
    "a forwarded mail": (
        "See below.\n\n---------- Forwarded message ---------\n*From:* Bob <b@e.org>\n*Subject:* Mill\n\nIt is 5.\n",
        {"See": set(),
         "It is": {"---------- Forwarded message ---------", "*From:* Bob <b@e.org>", "*Subject:* Mill"}},
    ),
    "an answered mail without marks": (
        "From: Ann\nSubject: RE: Mill\n\nI pay.\n\n"
        "Am Mo., 1. Jan. 2024 um 09:00 schrieb Bob <\nb@e.org>:\n\nIt is 5.\n",
        {"It is": {"Am Mo., 1. Jan. 2024 um 09:00 schrieb Bob <", "b@e.org>:"}},
    ),
    "a title above": ("Mills of the coast\nSource: Coast News\n\nAnn built it.\n",
                      {"Ann": {"Mills of the coast", "Source: Coast News"}}),
    "headings end with their source": (
        "Title: A\nURL: b\n\n# H\n\nOne.\n\nTitle: C\nURL: d\n\nTwo.\n",
        {"One": {"Title: A", "URL: b", "# H"}, "Two": {"Title: C", "URL: d"}},
    ),
    "a number and a title": (
        "Document 1:\nTitle: A\nURL: b\nOne.\n\nDocument 2:\nTitle: C\nURL: d\nTwo.\n",
        {"One": {"Document 1:", "Title: A", "URL: b"}, "Two": {"Document 2:", "Title: C", "URL: d"}},
    ),
    "passages": ("[1] " + "One is long and has two. " * 10 + "\n\n[2] " + "Two is long and has two. " * 10 + "\n",
                 {"One is": {"[1]"}, "Two is": {"[2]"}}),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), SOURCES.values(), ids=SOURCES.keys())
def test_text_needs_what_names_its_source(text, expected):
    """What stands under the header lines of a source needs them all, until the next source."""
    for piece, above in expected.items():
        assert needs(text, piece) == above
    assert any(unit.kind in ("heading", "mark") for unit in units(text))


def test_a_quote_needs_the_line_that_says_whose_it_is():
    """What is quoted needs the sentence above it that ends with a colon; in an answered mail, further quotes too."""
    wrote = "On Mon, Jan 1, 2024 at 9:00 AM Bob Ray <\nb@e.org> wrote:"
    mail = f"{wrote}\n\n> Is it open? I ask.\n\nYes.\n\n> And the price?\n> > It was free.\n\nFive.\n"
    assert needs(mail, "I ask") == {wrote, ">"}
    assert needs(mail, "price") == needs(mail, "free") == {wrote}
    assert needs(mail, "Yes") == needs(mail, "Five") == set()
    book = "As Ann says:\n\n> It burned.\n\nBob says nothing.\n\n> Nobody knows who said it.\n"
    assert needs(book, "burned") == {"As Ann says:"}
    assert needs(book, "Nobody") == set()


NO_SOURCES = [
    "Public charging is slow.\nIt took a year.\n\nSource: operator data\n",
    "[1] Smith, J. Mills. 2001.\n[2] Jones, A. Tides. 2002.\n",
    "[a]: https://a.example\n[b]: https://b.example\n",
    "He wrote to Ann.\nDate: 5 May.\nIt rained and it rained and nobody came.\n",
    "It holds [1] and [2].\n\n[1] is the first.\n",
    "Note: the mill is closed. It opens in May.\n",
]


@pytest.mark.parametrize("text", NO_SOURCES, ids=[text[:20] for text in NO_SOURCES])
def test_what_only_looks_like_a_source_is_none(text):
    """A line at the end, a list of references and a date in the middle are above nothing."""
    assert all(not unit.frame for unit in units(text))


TALKS = {
    "names": ("Ann: Who built it? I forgot.\nBob: It was Ray.\nAnn: Thanks!\nBob: You are welcome.\n", 4),
    "bold names": ("**Ann**: Who built it?\n\n**Bob**: I think it was Ray.\n\n**Ann**: Thank you, Bob!\n", 3),
    "times": ("[12:03] Ann: are you there?\n[12:04] Bob: yes, I am here.\n", 2),
    "roles": ("User: How do I return it?\nAssistant: Send it back within 30 days.\n", 2),
    "in Chinese": ("用户：请问怎么退货？我买错了。\n客服：您好！请点击退货按钮。\n", 2),
    "questions": ("Q: Is it open in May?\nA: It opens on the first of May.\n", 2),
    "a word in brackets": ("Ann (host): Who built it?\nBob: I did.\nAnn: You did it alone?\nBob: Yes.\n", 4),
}


@pytest.mark.parametrize(("text", "turns"), TALKS.values(), ids=TALKS.keys())
def test_what_is_said_needs_its_speaker(text, turns):
    """A speaker is a mark that the sentences of the turn need."""
    found = shown(text)
    assert kinds(text).count("mark") == turns
    for kind, frame, _ in found:
        assert kind == "mark" or (len(frame) == 1 and found[frame[0]][0] == "mark")


NO_TALKS = [
    "Note: this is important.\nIt goes on.\n",
    "Note: this is important.\nWarning: this is more so, I think.\n",
    "Name: Bob\nAge: 5\ncity: Rome\n",
    "Cause: the disk was full.\nCure: more disks.\n",
    "The mill has two parts.\nTrains: We run them daily.\nPlanes: There are none.\nIt rained.\nIt snowed.\n",
    "12:01 server started\n12:02 worker joined\n",
]


@pytest.mark.parametrize("text", NO_TALKS, ids=[text[:20] for text in NO_TALKS])
def test_what_only_looks_like_a_dialogue_is_none(text):
    """A label, a key with its value and a time are no speakers."""
    assert "mark" not in kinds(text)
    assert all(not unit.frame for unit in units(text))
