"""Fuzz one target for a while, guided by coverage: `python tests/reliability/fuzz/run.py TARGET --seconds N`.

Needs atheris (`pip install --group fuzz`). A process of its own does the fuzzing; one that dies (a crash of native
code, 10 seconds over one input, 4 GB of memory) is replaced until the time is over. What broke a law is written to
`OUTPUT/crashes`, the smallest input of each kind; `OUTPUT/corpus` is what the next run begins with. The exit code is
1 if there is any. The last line says what was run.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from random import Random

HERE = Path(__file__).parent
HANG_SECONDS = 10
MEMORY = 4 << 30
_COVERED = re.compile(r"cov: (\d+) ft: (\d+)")


def main() -> None:
    """Run, watch and sum up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--output", type=Path, help="[default: a temporary folder]")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    output = options.output or Path(tempfile.mkdtemp(prefix=f"fuzz-{options.target}-"))
    for folder in ("corpus", "crashes"):
        (output / folder).mkdir(parents=True, exist_ok=True)
    if options.child is not None:
        fuzz(options.target, options.seconds, output, options.child)
    else:
        sys.exit(supervise(options.target, options.seconds, output))


def supervise(target: str, seconds: int, output: Path) -> int:
    """Keep a fuzzing process alive for a time; return the exit code."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path[1:])), "HF_HUB_OFFLINE": "1"}
    end, runs, deaths, covered, child = time.monotonic() + seconds, 0, Counter[str](), ("0", "0"), 0
    while (left := int(end - time.monotonic())) > 5 or child == 0:
        command = [
            sys.executable,
            __file__,
            target,
            "--seconds",
            str(left),
            "--output",
            str(output),
            "--child",
            str(child),
        ]
        with (output / "log.txt").open("ab") as log:
            begin = log.tell()
            code = subprocess.run(command, stdout=log, stderr=log, env=environment, check=False).returncode
        said = (output / "log.txt").read_bytes()[begin:].decode("utf-8", "replace")
        covered = (_COVERED.findall(said) or [covered])[-1]
        runs += int((output / "runs").read_text() or 0)
        if code:
            deaths[f"exit code {code}"] += 1
        child += 1
        if child > 1 and not int((output / "runs").read_text() or 0):
            break  # it dies before its first input: there is nothing to go on with
    kinds = sorted((output / "crashes").glob("*.txt"))
    print(*(path.read_text(encoding="utf-8").splitlines()[0] for path in kinds), sep="\n")
    figures = {"target": target, "runs": runs, "coverage": int(covered[0]), "features": int(covered[1])}
    print(json.dumps({**figures, "kinds of crashes": len(kinds), "deaths": deaths, "output": str(output)}))
    return int(bool(kinds or deaths))


def fuzz(name: str, seconds: int, output: Path, child: int) -> None:
    """Fuzz in this process; it does not return."""
    import atheris
    import torch

    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    sys.path[:0] = map(str, (HERE, HERE.parent, HERE.parents[1], HERE.parents[1] / "checkpoints"))
    with atheris.instrument_imports(include=["secateurs", "json", "tomllib"]):
        from targets import TARGETS
    logging.disable(logging.CRITICAL)
    torch.set_num_threads(1)
    target = TARGETS[name]()
    for seed in target.seeds():
        (output / "corpus" / hashlib.sha1(seed).hexdigest()).write_bytes(seed)
    runs = 0
    (output / "runs").write_text("0")

    def one(data: bytes) -> None:
        nonlocal runs
        runs += 1
        if runs % 50 == 0:
            (output / "runs").write_text(str(runs))
        try:
            target(data)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a panic of Rust is no Exception
            keep(output / "crashes", data, error)

    def mutated(data: bytes, most: int, seed: int) -> bytes:
        random = Random(seed)
        if random.random() < 0.2:
            return bytes(atheris.Mutate(data, most))
        return target.mutate(data, random)[:most]

    flags = [f"-max_total_time={seconds}", f"-timeout={HANG_SECONDS}", "-rss_limit_mb=4000", "-max_len=65536"]
    places = [
        f"-artifact_prefix={output / 'crashes'}/",
        "-print_final_stats=1",
        f"-seed={child + 1}",
        str(output / "corpus"),
    ]
    atheris.Setup([sys.argv[0], *flags, *places], one, custom_mutator=mutated)
    atheris.Fuzz()


def keep(folder: Path, data: bytes, error: BaseException) -> None:
    """Write down an input that broke a law, unless a smaller one of its kind is known."""
    ours = [
        f"{Path(f.filename).name}:{f.name}"
        for f in traceback.extract_tb(error.__traceback__)
        if "secateurs" in f.filename
    ]
    kind = f"{type(error).__name__} {ours[-1:]} {re.sub('[^a-zA-Z ]', '', str(error))[:60]}"
    place = folder / hashlib.sha1(kind.encode()).hexdigest()[:12]
    if not place.exists() or len(place.read_bytes()) > len(data):
        place.write_bytes(data)
        place.with_suffix(".txt").write_text(
            f"{kind}\n{''.join(traceback.format_exception(error))}", encoding="utf-8", errors="replace"
        )


if __name__ == "__main__":
    main()
