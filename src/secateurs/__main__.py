"""`python -m secateurs`: the command line."""

from secateurs.cli import run

run()
