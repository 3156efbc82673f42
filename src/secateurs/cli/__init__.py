"""The command line: `secateurs ...`."""

from secateurs.cli.app import main, run

__all__ = ["main", "run"]
