"""The results on one page, to be read in two minutes: `report.md`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from secateurs.evaluate.assess import ANSWERS, Assessment, Group, Setting
from secateurs.evaluate.own import Own
from secateurs.evaluate.report import Report
from secateurs.evaluate.table import markdown, number

_HEADS = ("", "records", "evidence kept", "tokens saved", "text kept where no answer is")
_SHOWN = ("evidence_kept", "tokens_saved", "false_text")
_OWN = ("language", "records", "threshold", "evidence units kept", "tokens saved", "kept at one", "saved at one")
_ANSWERED = next(name for name, answered in ANSWERS.items() if answered)
_FEW = 30  # questions with an answer, below which a threshold says more of them than of the next ones
_MISSED = 0.02  # of the units that were wanted


def to_page(report: Report, pictures: Mapping[str, str]) -> str:
    """Return the page as Markdown.

    Args:
        report: The results; the first system is the one that the page is about.
        pictures: File names of pictures, by what they show.
    """
    item = report.systems[0]
    setting = main_setting(item)
    at = "by default" if setting.label == "default" else f"at {setting.mean.threshold:.3g}"
    lines = [f"# {item.name}: what it keeps, and what it saves", "", *_paragraph(report, setting, at), ""]
    names = list(pictures.items())
    lines += [f"![{what}]({file})" for what, file in names[:1]]
    lines += ["", f"## Cut {at}", "", *markdown(_HEADS, _rows(report, item, setting)), ""]
    lines += [*_thresholds(report, item), ""]
    if len(names) > 1:
        error = number(item.calibration_error[""])
        lines += [
            "## Are scores probabilities?",
            "",
            f"Expected calibration error {error} over all units; by language: "
            + "; ".join(f"{lang} {value:.3f}" for lang, value in item.language_error.items())
            + ". On the line a unit that scores 0.3 is right three times in ten.",
            "",
            f"![{names[1][0]}]({names[1][1]})",
            "",
        ]
    lines += ["Every file, every threshold, every interval and what was missed: [evaluation.md](evaluation.md).", ""]
    return "\n".join(lines)


def main_setting(item: Assessment) -> Setting:
    """Return the setting that a page is about: what was asked for, else the default, else one threshold for all."""
    return next(item.settings[label] for label in ("given", "default", "fixed") if label in item.settings)


def code_line(report: Report) -> str:
    """Return one line of code that uses the calibrated threshold of the first system, and what it did.

    A second line says where that is not to be trusted: the records are few, or fewer units stayed than were wanted.

    Args:
        report: The results, calibrated thresholds among them.
    """
    item = report.systems[0]
    setting = item.settings["units"]
    figures = setting.mean.figures
    code = f"Compressor.from_pretrained(policy=Threshold({item.units:g}))"
    if figures.recall is None or figures.tokens_saved is None:
        return code
    kept, saved = (
        f"kept {figures.recall:.1%} of the evidence units",
        f"saved {figures.tokens_saved:.1%} of the tokens",
    )
    wanted = f"{100 * report.plan.evidence:.3g} % wanted; mean over files"
    return f"{code}  # {kept} ({wanted}), {saved}: {report.records}{_doubt(report, setting)}"


def _doubt(report: Report, setting: Setting) -> str:
    """Return a comment on why a chosen threshold is not to be trusted; nothing where it is."""
    answered = setting.answers[_ANSWERED].records if _ANSWERED in setting.answers else 0
    if answered < _FEW:
        return (
            f"\n# not to be trusted yet: measured on {answered} questions with an answer, chosen on as many; "
            f"label enough for {_FEW}, or stay with the default"
        )
    if (setting.mean.figures.recall or 0.0) < report.plan.evidence - _MISSED:
        return "\n# fewer stayed than wanted, on other records than it was chosen on: a lower one, or the default"
    return ""


def _paragraph(report: Report, setting: Setting, at: str) -> list[str]:
    figures, count = setting.mean.figures, setting.mean.records
    kept = "" if figures.evidence_kept is None else f" {figures.evidence_kept:.1%} of the evidence stays whole and"
    saved = "" if figures.tokens_saved is None else f" {figures.tokens_saved:.1%} of the LLM tokens go."
    files = ", ".join(setting.files)
    over = f"Mean over {len(setting.files)} files" if len(setting.files) > 1 else "One file"
    chosen = (
        "No threshold was chosen on the records that are reported, unless it says oracle."
        if report.plan.records == "report"
        else "Where it says fixed, calibrated or units, thresholds are chosen on half of them; oracle, on all."
    )
    return [
        f"Cut {at},{kept}{saved} {over} ({files}), {count:,} records: the"
        f" {report.records}. {chosen} Tokens: {report.encoding}. secateurs {report.version}:"
        " `secateurs evaluate DATA --calibrate --output report`.",
    ]


def _rows(report: Report, item: Assessment, setting: Setting) -> Iterable[list[str]]:
    yield _row("**all**", setting.mean)
    for name, group in (*setting.answers.items(), *setting.languages.items()):
        yield _row(name, group)
    for control in report.controls:
        yield _row(f"{control.name}, at as many tokens", control.setting.mean)
    for other in report.systems[1:]:
        peer = main_setting(other)
        where = "" if peer.mean.threshold is None else f", one threshold {peer.mean.threshold:.3g}"
        yield _row(f"{other.name}{where}", peer.mean)


def _row(name: str, group: Group) -> list[str]:
    cells = []
    for figure in _SHOWN:
        cell, interval = number(getattr(group.figures, figure)), group.intervals.get(figure)
        cells.append(cell if interval is None else f"{cell} [{interval.low:.2f}, {interval.high:.2f}]")
    return [name, f"{group.records:,}", *cells]


def _thresholds(report: Report, item: Assessment) -> list[str]:
    """Return what other thresholds do, whether languages want their own, and the line of code to use one."""
    lines = ["## Other thresholds", ""]
    chosen = [one for one in item.settings.values() if one.label != "oracle"]
    lines += markdown(_HEADS, [_row(_named(one), one.mean) for one in chosen])
    if "units" in item.settings:
        lines += ["", "```python", code_line(report), "```"]
    if item.own:
        lines += ["", *_own(item.own)]
    return lines


def _own(own: Mapping[str, Own]) -> list[str]:
    every = own[""]
    said = "would pay here" if every.better else "would not pay here"
    rows = [
        [
            lang or "**all**",
            f"{one.records:,}",
            "" if one.threshold is None else f"{one.threshold:.3g}",
            *(number(value) for value in (one.found, one.saved, one.one_found, one.one_saved)),
        ]
        for lang, one in own.items()
    ]
    return [
        f"A threshold for each language {said}: together they keep {every.found:.1%} of the evidence units and save"
        f" {every.saved:.1%} of the tokens; one threshold that saves as much keeps {every.as_much:.1%}. Chosen on one"
        " half, reported on the other, beside one threshold for all that was chosen in the same way.",
        "",
        *markdown(_OWN, rows),
    ]


def _named(setting: Setting) -> str:
    threshold = setting.mean.threshold
    return setting.label + (f" {threshold:.3g}" if threshold is not None else "")
