"""`secateurs evaluate`: measure checkpoints and peers on labelled data, and what survives in tool output."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress
from typer.core import TyperGroup

from secateurs import __version__
from secateurs.checkpoints import BUNDLED
from secateurs.evaluate.answers.command import answers
from secateurs.evaluate.assess import Assessment, Plan, assess
from secateurs.evaluate.controls import Control, control_systems, match
from secateurs.evaluate.measure import Load, SystemRun, file_hash, file_names, find_files, measure, sampled, whole
from secateurs.evaluate.options import check_folder, need, short_name
from secateurs.evaluate.page import code_line, main_setting, to_page
from secateurs.evaluate.preview.command import preview
from secateurs.evaluate.report import Report, show, to_json, to_markdown
from secateurs.evaluate.sample import encoder_length
from secateurs.evaluate.systems import CheckpointSystem, ScoreSystem, System
from secateurs.evaluate.thresholds import EVIDENCE
from secateurs.evaluate.tool_output.command import tool_output
from secateurs.result.savings import TokenCounter
from secateurs.support.arguments import check_count, check_threshold
from secateurs.support.files import write_text

if TYPE_CHECKING:
    from secateurs.evaluate.embeddings import Encoder

PEERS = "bm25, embedding, embedding=ENCODER, llama-index, llama-index=ENCODER, first"
_PICTURES = {
    "Evidence kept against tokens saved": "evaluation.png",
    "Scores against the share that is right": "calibration.png",
}

Make = Callable[[], System]


class Records(StrEnum):
    """Which records are reported on."""

    report = "report"
    all = "all"


def evaluate(  # noqa: PLR0913 - a command's options are its interface
    data: Annotated[
        list[Path], typer.Argument(help="JSONL, JSONL.gz or Parquet files, or folders of them.", metavar="DATA...")
    ],
    model: Annotated[
        list[str] | None, typer.Option(help="Hub id or folder of a checkpoint; may be repeated. [default: bundled]")
    ] = None,
    revision: Annotated[
        list[str] | None,
        typer.Option(help='Branch, tag or commit of each --model on the hub, in their order; "" for none.'),
    ] = None,
    peers: Annotated[str, typer.Option(help=f"What to measure beside, comma-separated: {PEERS}.")] = "",
    output: Annotated[Path | None, typer.Option(help="Folder for the JSON, the Markdown and the picture.")] = None,
    all_records: Annotated[
        bool, typer.Option("--all/--sample", help="Whole files, or the dev sample of each.")
    ] = False,
    records: Annotated[
        Records, typer.Option(help="Report on the records no threshold was chosen on, or on all.")
    ] = Records.report,
    threshold: Annotated[
        float | None, typer.Option(help="A threshold fixed beforehand; else one is chosen on the calibration halves.")
    ] = None,
    calibrate: Annotated[
        bool, typer.Option(help="Report the thresholds that keep enough of the evidence, too, and a line of code.")
    ] = False,
    evidence: Annotated[
        float | None,
        typer.Option(
            help=f"With --calibrate, how much of the evidence a threshold shall keep. [default: {EVIDENCE}]"
        ),
    ] = None,
    controls: Annotated[
        bool, typer.Option(help="Measure random units and truncation beside, at as many tokens.")
    ] = True,
    resamples: Annotated[int, typer.Option(help="Bootstrap resamples; 0 for no intervals.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0,
    encoding: Annotated[str, typer.Option(help="tiktoken encoding that counts the tokens.")] = "o200k_base",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
) -> None:
    """Measure how much evidence survives, and how many tokens that saves, on labelled DATA.

    Beside it: `secateurs evaluate answers FILE`, whether a reader still answers right; `secateurs evaluate preview
    FILE`, what would be cut of your own documents, without labels; `secateurs evaluate tool-output FILE...`, which
    facts survive in the output of tools. Data whose name is that of
    a command is given as a path: ./preview
    """
    if threshold is not None:
        check_threshold(threshold)
    check_count(resamples, "--resamples", least=0)
    plan = Plan(str(records), threshold, calibrate, _wanted(evidence, calibrate=calibrate), resamples, seed)
    paths = find_files(data)
    if output is not None:
        check_folder(output)
    count = TokenCounter(encoding)
    makers = [*_models(model, revision, encoding, device), *_peers(peers, count, device)]
    load: Load = whole if all_records else sampled(encoder_length())
    assessments: list[Assessment] = []
    runs: list[SystemRun] = []
    for name, make in makers:
        run = _measure(name, make, paths, load, count)
        if not run.half(plan.records).files:
            raise ValueError("no records to report on: a half of each file is reported. Try --records all.")
        assessments.append(assess(run, plan, assessments[0] if assessments else None))
        runs = runs or [run]
    matched = _controls(runs[0], assessments[0], plan, paths, load, count) if controls else []
    names = file_names(paths)
    hashes = {names[path]: file_hash(path) for path in paths}
    report = Report(__version__, hashes, not all_records, encoding, plan, assessments, matched)
    show(report, Console(highlight=False, width=None if sys.stdout.isatty() else 110))
    if calibrate:
        typer.echo(code_line(report))
    if output is not None:
        write(report, output)
    failed = [f"{item.name}: {item.failed}" for item in assessments if item.failed]
    if failed:
        typer.echo(f"secateurs: documents that could not be scored, and count as kept whole: {failed}", err=True)
        raise typer.Exit(1)


def write(report: Report, output: Path) -> None:
    """Write `report.md`, `evaluation.json`, `evaluation.md`, `evaluation.png` and `calibration.png` into a folder.

    Raises:
        MissingExtraError: matplotlib is not installed; the texts are written all the same.
    """
    from secateurs.evaluate.plot import draw, draw_reliability

    output.mkdir(parents=True, exist_ok=True)
    text = json.dumps(to_json(report), ensure_ascii=False, indent=1)
    write_text(output / "evaluation.json", text + "\n")
    first, curves, diagram = report.systems[0], *_PICTURES.values()
    shown = _PICTURES if first.reliability else dict(list(_PICTURES.items())[:1])
    write_text(output / "evaluation.md", to_markdown(report, shown))
    write_text(output / "report.md", to_page(report, shown))
    draw(report.systems, output / curves, records=report.records, controls=report.controls)
    if first.reliability:
        draw_reliability(first, output / diagram, records=report.records)


def _wanted(evidence: float | None, *, calibrate: bool) -> float:
    """Return how much of the evidence shall be kept."""
    if evidence is None:
        return EVIDENCE
    if not 0 < evidence <= 1:
        raise ValueError(f"--evidence is {evidence}: expected a share of the evidence, such as 0.95.")
    if not calibrate:
        raise ValueError(
            f"--evidence {evidence} needs --calibrate: without it no threshold is chosen to keep as much."
        )
    return evidence


def _models(
    models: Sequence[str] | None, revisions: Sequence[str] | None, encoding: str, device: str
) -> list[tuple[str, Make]]:
    names = models or [BUNDLED]
    pinned = revisions or [""] * len(names)
    if len(pinned) != len(names):
        raise ValueError(f'{len(pinned)} --revision for {len(names)} --model: give one each, "" for one without.')
    pairs = zip(names, pinned, strict=True)
    return [(short_name(model), _checkpoint(model, revision or None, encoding, device)) for model, revision in pairs]


def _checkpoint(model: str, revision: str | None, encoding: str, device: str) -> Make:
    def make() -> System:
        from secateurs.compressor import Compressor

        compressor = Compressor.from_pretrained(model, revision=revision, device=device, encoding=encoding)
        return CheckpointSystem(short_name(model), compressor)

    return make


def _peers(peers: str, count: TokenCounter, device: str) -> list[tuple[str, Make]]:
    from secateurs.model.device import resolve_device

    @cache
    def encoder(name: str) -> Encoder:
        """Load an encoder once, whichever peers use it."""
        from secateurs.evaluate.embeddings import Encoder

        return Encoder(name or None, device=str(resolve_device(device)))

    wanted = [peer.strip() for peer in peers.split(",") if peer.strip()]
    return [(_label(peer), _peer(peer, count, encoder)) for peer in wanted]


def _label(peer: str) -> str:
    kind, _, encoder = peer.partition("=")
    return f"{kind} ({short_name(encoder)})" if encoder else kind


def _peer(peer: str, count: TokenCounter, encoder: Callable[[str], Encoder]) -> Make:
    from secateurs.evaluate.peers import keep_first, keyword_overlap

    kind, _, model = peer.partition("=")
    name = _label(peer)
    if peer == "bm25":
        need("bm25s", "the peer bm25", "evaluate")
        return lambda: ScoreSystem(name, keyword_overlap)
    if peer == "first":
        return lambda: ScoreSystem(name, keep_first)
    if kind not in ("embedding", "llama-index"):
        raise ValueError(f"unknown peer {peer!r}: --peers takes {PEERS}, comma-separated.")
    if kind == "llama-index":
        need("llama_index", "the peer llama-index", "llama-index")

    def make() -> System:
        from secateurs.evaluate.embeddings import LlamaIndexSystem, SimilaritySystem

        given = encoder(model)
        return SimilaritySystem(name, given) if kind == "embedding" else LlamaIndexSystem(name, given, count)

    return make


def _measure(name: str, make: Make, paths: Sequence[Path], load: Load, count: TokenCounter) -> SystemRun:
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(name, total=None)
        return measure(make(), paths, load=load, count=count, tick=lambda done: progress.advance(task, done))


def _controls(
    run: SystemRun, item: Assessment, plan: Plan, paths: Sequence[Path], load: Load, count: TokenCounter
) -> list[Control]:
    """Measure what keeps as many tokens as the first system, document by document."""
    found = []
    for system in control_systems(plan.seed):
        theirs = _measure(system.name, lambda system=system: system, paths, load, count)  # type: ignore[misc]  # a default binds the loop's system
        found.append(match(theirs, run, plan, against=main_setting(item)))
    return found


class _Commands(TyperGroup):
    """Takes what names no command for the arguments of the first one, so that `evaluate DATA` needs no other word."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments."""
        named = bool(args) and args[0] in self.commands
        return super().parse_args(ctx, args if named else [next(iter(self.commands)), *args])


app = typer.Typer(cls=_Commands, add_completion=False, rich_markup_mode=None)
app.command("labelled")(evaluate)
app.command("answers")(answers)
app.command("tool-output")(tool_output)
app.command("preview")(preview)
