"""Honest callers of the service, alone and beside a hostile one, turn by turn: what the hostile one costs them.

    python tests/reliability/soak_service.py --minutes 60

The service runs in a process of its own, on the bundled model. Honest callers send requests of any shape, one after
another; the hostile client goes through the attacks of `test_hostile_service.py`, over and over. Prints one line with
the figures, and ends with 1 if one misses its bar.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "serve"))

from hostile_server import Watched, watched
from test_hostile_service import ATTACKS
from traffic import Tally, call_any, quantile, run_callers, slope

SLOWER = 2.0  # times what the slowest hundredth of the honest calls takes without the hostile client, at most
GROWTH = 2.0  # MB of memory a minute in the second half, at most
BUNDLED = Path(__file__).parents[2] / "src" / "secateurs" / "models" / "xsmall"


class Hostile:
    """A client that attacks, one attack after another, until it is told to stop.

    Args:
        port: Where the service listens.
        seed: Of the order of the attacks.
    """

    def __init__(self, port: int, seed: int) -> None:
        self._port = port
        self._random = random.Random(seed)
        self.statuses: Counter[str] = Counter()

    def attack(self, until: float) -> None:
        """Attack until a time is come."""
        while time.monotonic() < until:
            for name in self._random.sample(sorted(ATTACKS), len(ATTACKS)):
                if time.monotonic() >= until:
                    return
                self.statuses += ATTACKS[name].run(self._port)


def turn(service: Watched, hostile: Hostile | None, callers: int, seconds: float) -> Tally:
    """Let honest callers call for so many seconds; returns what they saw."""
    until = time.monotonic() + seconds
    attacker = None if hostile is None else threading.Thread(target=hostile.attack, args=(until,))
    if attacker is not None:
        attacker.start()
    tally = run_callers(call_any, f"http://127.0.0.1:{service.port}", callers, seconds)
    if attacker is not None:
        attacker.join()  # the last attack may outlast the turn: the next one is without
    return tally


def soak(service: Watched, *, minutes: float, callers: int, rounds: int) -> dict[str, object]:
    """Return what honest callers see alone and beside a hostile one, and whether each bar is met."""
    hostile = Hostile(service.port, seed=1)
    seconds = minutes * 60 / rounds / 2
    turn(service, None, callers, min(10.0, seconds))  # warm-up
    began = time.monotonic()
    seen: dict[str, list[Tally]] = {"alone": [], "beside": []}
    delays: dict[str, float] = {"alone": 0.0, "beside": 0.0}
    memory, lost = [], []
    for _ in range(rounds):
        for name, with_whom in (("alone", None), ("beside", hostile)):
            service.begin()
            seen[name].append(turn(service, with_whom, callers, seconds))
            delays[name] = max(delays[name], service.delay)
            lost += service.lost
            memory.append(((time.monotonic() - began) / 60, service.resident()))
    taken = {name: sorted(s for tally in some for _, s in tally.seconds) for name, some in seen.items()}
    outcomes = {name: sum((one.outcomes for one in some), Counter()) for name, some in seen.items()}
    p99 = {name: quantile(some, 0.99) for name, some in taken.items()}
    growth = slope(memory[len(memory) // 2 :])
    wrong = {said for some in outcomes.values() for said in some} - {"200", "429", "left"}
    return {
        "minutes": minutes,
        "callers": callers,
        "honest": {name: dict(found) for name, found in outcomes.items()},
        "hostile": dict(hostile.statuses),
        "p50_s": {name: round(quantile(some, 0.5), 3) for name, some in taken.items()},
        "p99_s": {name: round(one, 3) for name, one in p99.items()},
        "slower": round(p99["beside"] / max(p99["alone"], 1e-9), 3),
        "health_s": {name: round(one, 3) for name, one in delays.items()},
        "memory_mb": [round(one) for _, one in memory],
        "memory_mb_per_minute": round(growth, 3),
        "bars": {
            f"honest p99 beside <= {SLOWER} * alone": p99["beside"] <= SLOWER * p99["alone"],
            f"memory_mb_per_minute < {GROWTH}": growth < GROWTH,
            "no honest call fails but by 429": not wrong,
            "every health check is answered": not lost,
        },
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Soak; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0, help="of both together")
    parser.add_argument("--callers", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--model", type=Path, default=BUNDLED, help="folder of a checkpoint; the bundled one if left out"
    )
    given = parser.parse_args(arguments)
    patience = {"timeout": 60.0, "body_timeout": 10.0, "idle_timeout": 10.0, "max_waiting": 64}
    with watched(given.model, api_key=None, **patience) as service:
        found = soak(service, minutes=given.minutes, callers=given.callers, rounds=given.rounds)
    print(json.dumps(found))
    bars = found["bars"]
    assert isinstance(bars, dict)
    return 0 if all(bars.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
