"""The real service in a process of its own, with little patience; and a watch over its memory and its event loop.

    python tests/reliability/hostile_server.py FOLDER '{"timeout": 5.0}'

Which it is run as by the tests; `Watched` is what they see of it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

KEY = "s3cret"
SETTINGS: dict[str, Any] = {
    "api_key": KEY,
    "hosts": [],
    "timeout": 5.0,
    "body_timeout": 4.0,
    "idle_timeout": 2.0,
    "max_waiting": 16,
}


class Watched:
    """A service that is watched: its resident memory, and how long its event loop keeps a health check waiting.

    Args:
        process: The service.
        port: Where it listens.

    Attributes:
        memory: Megabytes, the most that was seen since `begin`.
        delay: Seconds that a health check took, the most since `begin`.
        lost: Health checks that were not answered with 200.
    """

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process, self.port = process, port
        self.memory = self.delay = 0.0
        self.lost: list[str] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=look, daemon=True) for look in (self._weigh, self._check)]
        for thread in self._threads:
            thread.start()

    def begin(self) -> float:
        """Watch anew; returns the megabytes it holds."""
        self.memory, self.delay, self.lost = self.resident(), 0.0, []
        return self.memory

    def resident(self) -> float:
        """Return the megabytes it holds now."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def end(self) -> None:
        """Watch no more."""
        self._over.set()
        for thread in self._threads:
            thread.join(30)

    def _weigh(self) -> None:
        while not self._over.wait(0.01):
            self.memory = max(self.memory, self.resident())

    def _check(self) -> None:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        while not self._over.wait(0.02):
            began = time.monotonic()
            try:
                connection.request("GET", "/healthz")
                response = connection.getresponse()
                response.read()
                said = str(response.status)
            except (OSError, HTTPException) as error:
                connection.close()
                said = type(error).__name__
            self.delay = max(self.delay, time.monotonic() - began)
            if said != "200":
                self.lost.append(said)
        connection.close()


@contextmanager
def watched(folder: Path, **settings: Any) -> Iterator[Watched]:
    """Run the service on a checkpoint, and watch it."""
    command = [sys.executable, __file__, str(folder), json.dumps({**SETTINGS, **settings})]
    one = {**os.environ, "OMP_NUM_THREADS": "1"}  # two would wait for each other on a machine that is busy
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=one) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        found = re.search(r":(\d+)$", said.strip())
        assert found, said + process.stderr.read()
        threading.Thread(target=process.stderr.read, daemon=True).start()  # or a full pipe would hold it up
        watch = Watched(process, int(found[1]))
        try:
            yield watch
        finally:
            watch.end()
            process.kill()


def main() -> None:
    """Serve until killed."""
    from secateurs.serve.command import _bound_memory

    _bound_memory()
    from secateurs import Compressor
    from secateurs.serve import ServiceSettings, create_app
    from secateurs.serve.server import listen, make_server

    settings = json.loads(sys.argv[2])
    settings["hosts"] = tuple(settings["hosts"])
    app = create_app(Compressor.from_pretrained(sys.argv[1], device="cpu"), ServiceSettings(**settings))
    with listen("127.0.0.1", 0) as bound:
        make_server(app).run(sockets=[bound])


if __name__ == "__main__":
    main()
