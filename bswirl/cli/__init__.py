"""The command line. `main` is the console script; commands load when they are called."""

from bswirl.cli.root import main

__all__ = ["main"]
