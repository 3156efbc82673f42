"""From runs to results: at the default, at a threshold fixed on other data, at the oracle, each with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from secateurs.evaluate import thresholds
from secateurs.evaluate.bootstrap import Interval, differences, intervals, resampled, resampled_mean
from secateurs.evaluate.figures import (
    Figures,
    calibration,
    figures,
    mean_figures,
    reliable,
    swept_evidence,
    swept_f1,
    swept_savings,
    table,
)
from secateurs.evaluate.ladder import Floats, Ladder, Outcome
from secateurs.evaluate.measure import FileRun, SystemRun
from secateurs.evaluate.metrics import Bin
from secateurs.evaluate.misses import Miss, worst
from secateurs.evaluate.own import Own, own_thresholds

LABELS = {
    "default": "default: what the system keeps unless told otherwise",
    "given": "given: a threshold named beforehand",
    "fixed": "fixed: best mean F1 on the calibration halves, one threshold for all files",
    "calibrated": "calibrated: the highest threshold that keeps {evidence:.3g} % of the evidence whole on the"
    " calibration halves",
    "units": "units: the highest threshold that keeps {evidence:.3g} % of evidence units, pooled over the calibration"
    " halves",
    "oracle": "oracle: best F1 on the very records it is reported on; an upper bound, not a figure a user can have",
}

ANSWERS = {"with an answer": True, "without an answer": False}
_POINTS = 100


@dataclass(frozen=True)
class Plan:
    """What to report.

    Attributes:
        records: `"report"` for the report halves, `"all"` for both.
        threshold: A threshold fixed beforehand; None to choose one on the calibration halves.
        calibrate: Report the calibrated thresholds, too: by whole evidence, and by its units.
        evidence: Share of the evidence that these shall keep.
        resamples: Bootstrap resamples; 0 for no intervals.
        seed: Of the bootstrap.
    """

    records: str = "report"
    threshold: float | None = None
    calibrate: bool = False
    evidence: float = thresholds.EVIDENCE
    resamples: int = 1000
    seed: int = 0


def explained(plan: Plan) -> dict[str, str]:
    """Return what each label means."""
    return {label: text.format(evidence=100 * plan.evidence) for label, text in LABELS.items()}


@dataclass(frozen=True)
class Group:
    """The figures of a file, of a language, or the mean over files.

    Attributes:
        records: How many.
        threshold: Where they were cut; None for a default that is no threshold, and for a mean of several.
        figures: The figures.
        intervals: Bootstrap intervals of them; empty without resamples.
        samples: The resampled figures, for paired differences.
    """

    records: int
    threshold: float | None
    figures: Figures
    intervals: dict[str, Interval | None] = field(default_factory=dict)
    samples: Sequence[Figures] = field(default=(), repr=False)


@dataclass(frozen=True)
class Setting:
    """All groups at one kind of threshold.

    Attributes:
        label: A key of LABELS.
        mean: Mean over files.
        files: By file.
        languages: By language: the mean over files of their records in it.
        answers: The same of the records with an answer, and of those without.
        difference: Intervals of the mean's difference from the first system's; empty for that one.
    """

    label: str
    mean: Group
    files: dict[str, Group]
    languages: dict[str, Group]
    answers: dict[str, Group]
    difference: dict[str, Interval | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Point:
    """One point of a curve, mean over files."""

    threshold: float
    evidence_kept: float
    tokens_saved: float
    f1: float


@dataclass(frozen=True)
class Assessment:
    """All results of one system.

    Attributes:
        name: The system.
        failed: Documents that could not be scored; they count as kept whole.
        fixed: The threshold with the best mean F1 on the calibration halves.
        calibrated: The highest one that keeps 95 % of the evidence there.
        units: The highest one that keeps 95 % of the units there that overlap evidence, all files pooled.
        calibration_error: By file, and under `""` over all units; None where scores are no probabilities.
        settings: By label.
        curve: Points by rising threshold.
        reliability: Reliability diagram by language, and under `""` of all units; empty where scores are no
            probabilities.
        misses: By file, the evidence that scored lowest.
        language_error: Calibration error by language; empty where scores are no probabilities.
        own: Thresholds by language, compared with one; empty where that was not asked for, or cannot be.
    """

    name: str
    failed: int
    fixed: float
    calibrated: float
    units: float
    calibration_error: dict[str, float | None]
    settings: dict[str, Setting]
    curve: tuple[Point, ...]
    reliability: dict[str, tuple[Bin, ...]]
    misses: dict[str, Miss]
    language_error: dict[str, float] = field(default_factory=dict)
    own: dict[str, Own] = field(default_factory=dict)


def assess(run: SystemRun, plan: Plan, reference: Assessment | None = None) -> Assessment:
    """Make all results of one system.

    Args:
        run: Its ladders.
        plan: What to report.
        reference: The first system, which the others are compared with.
    """
    chosen_on = [file.ladders for file in run.half("calibration").files]
    reported = run.half(plan.records)
    fixed, calibrated = thresholds.best_f1(chosen_on), thresholds.calibrated(chosen_on, evidence=plan.evidence)
    units = thresholds.units_kept(chosen_on, evidence=plan.evidence)
    wanted: dict[str, float | None] = {"default": None} if _has_default(reported) else {}
    wanted |= {"fixed": fixed} if plan.threshold is None else {"given": plan.threshold}
    wanted |= {"calibrated": calibrated, "units": units} if plan.calibrate else {}
    wanted |= {"oracle": None}
    settings = {}
    for label, threshold in wanted.items():
        against = reference.settings.get(label) if reference else None
        settings[label] = make_setting(reported, label, threshold, plan, against)
    misses = {file.name: miss for file in reported.files if (miss := worst(file.misses)) is not None}
    return Assessment(
        run.name,
        run.failed,
        fixed,
        calibrated,
        units,
        _errors(reported),
        settings,
        curve(reported),
        _reliability(reported),
        misses,
        _language_errors(reported),
        own_thresholds(run, evidence=plan.evidence) if plan.calibrate else {},
    )


def _reliability(run: SystemRun) -> dict[str, tuple[Bin, ...]]:
    """Return the reliability diagram by language, and of all units under the empty name."""
    if not run.probabilities:
        return {}
    langs = _languages(run)
    groups = {lang: [ladder for file in run.files for ladder in _of(file, lang)] for lang in langs}
    groups[""] = [ladder for file in run.files for ladder in file.ladders]
    return {name: reliable(ladders) for name, ladders in groups.items()}


def _language_errors(run: SystemRun) -> dict[str, float]:
    if not run.probabilities:
        return {}
    langs = _languages(run)
    return {lang: calibration([ladder for file in run.files for ladder in _of(file, lang)]) for lang in langs}


def _errors(run: SystemRun) -> dict[str, float | None]:
    """Return the calibration error by file, and over all units under the empty name."""
    groups = {file.name: list(file.ladders) for file in run.files}
    groups[""] = [ladder for ladders in groups.values() for ladder in ladders]
    return {name: calibration(ladders) if run.probabilities else None for name, ladders in groups.items()}


def _has_default(run: SystemRun) -> bool:
    return all(ladder.default is not None for file in run.files for ladder in file.ladders)


def make_setting(
    run: SystemRun, label: str, threshold: float | None, plan: Plan, reference: Setting | None
) -> Setting:
    """Make all groups at one kind of threshold.

    Args:
        run: The records that are reported on.
        label: A key of LABELS.
        threshold: Where they are cut; None for what a system keeps by default.
        plan: What to report.
        reference: The first system's setting, which it is compared with.
    """
    files = {file.name: _group(file.ladders, label, threshold, plan) for file in run.files}
    mean = _mean_group(list(files.values()), threshold)
    languages = {lang: _part(run, files, label, threshold, plan, lang) for lang in _languages(run)}
    answers = {name: _answered(run, label, threshold, plan, wanted) for name, wanted in ANSWERS.items()}
    answers = {name: group for name, group in answers.items() if group.records}
    against = differences(mean.samples, reference.mean.samples) if reference and mean.samples else {}
    return Setting(label, mean, files, languages, answers, against)


def _languages(run: SystemRun) -> list[str]:
    """Return the languages, cross-language ones last."""
    return sorted({lang for file in run.files for lang in file.langs}, key=lambda lang: ("query" in lang, lang))


def _part(
    run: SystemRun, files: dict[str, Group], label: str, threshold: float | None, plan: Plan, lang: str
) -> Group:
    parts = [
        files[file.name] if set(file.langs) == {lang} else _group(_of(file, lang), label, threshold, plan)
        for file in run.files
        if lang in file.langs
    ]
    return _mean_group(parts, threshold)


def _answered(run: SystemRun, label: str, threshold: float | None, plan: Plan, wanted: bool) -> Group:
    some = [[ladder for ladder in file.ladders if bool(ladder.spans) is wanted] for file in run.files]
    return _mean_group([_group(ladders, label, threshold, plan) for ladders in some if ladders], threshold)


def _of(file: FileRun, lang: str) -> list[Ladder]:
    return [ladder for ladder, its in zip(file.ladders, file.langs, strict=True) if its == lang]


def _group(ladders: Sequence[Ladder], label: str, threshold: float | None, plan: Plan) -> Group:
    if label == "oracle":
        threshold = thresholds.best_f1([ladders])
    rows = table(ladders, _outcomes(ladders, threshold))
    samples = resampled(rows, plan.resamples, plan.seed) if plan.resamples else []
    ranges = intervals(samples) if samples else {}
    return Group(len(ladders), threshold, figures(rows.sum(axis=0).tolist()), ranges, samples)


def _outcomes(ladders: Sequence[Ladder], threshold: float | None) -> list[Outcome]:
    if threshold is not None:
        return [ladder.at(threshold) for ladder in ladders]
    return [ladder.default for ladder in ladders if ladder.default is not None]


def _mean_group(groups: Sequence[Group], threshold: float | None) -> Group:
    samples = resampled_mean([group.samples for group in groups])
    ranges = intervals(samples) if samples else {}
    mean = mean_figures([group.figures for group in groups])
    return Group(sum(group.records for group in groups), threshold, mean, ranges, samples)


def curve_levels(run: SystemRun) -> Floats:
    """Return the thresholds of a curve, rising, spread over the scores; none where there is no evidence.

    Shape:
        (thresholds,).
    """
    files = [file.ladders for file in run.files if any(ladder.spans for ladder in file.ladders)]
    levels = [ladder.levels for ladders in files for ladder in ladders]
    if not levels:
        return np.zeros(0)
    return np.unique(np.quantile(np.concatenate(levels), np.linspace(0.0, 1.0, _POINTS + 1), method="lower"))


def curve(run: SystemRun) -> tuple[Point, ...]:
    """Return evidence kept, tokens saved and F1 at many thresholds: means over the files that hold evidence."""
    files = [file.ladders for file in run.files if any(ladder.spans for ladder in file.ladders)]
    at = curve_levels(run)
    if not len(at):
        return ()
    kept, saved, f1 = (
        np.mean([sweep(ladders, at) for ladders in files], axis=0)
        for sweep in (swept_evidence, swept_savings, swept_f1)
    )
    return tuple(Point(*map(float, values)) for values in zip(at, kept, saved, f1, strict=True))
