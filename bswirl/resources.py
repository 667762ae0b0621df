"""Where the data that ships with bswirl lies: in the package of a wheel, else in the checkout."""

from __future__ import annotations

from pathlib import Path

from bswirl.errors import InputError

_PACKAGE = Path(__file__).resolve().parent


def data_folder() -> Path:
    """The folder of shipped data. Raises InputError where the installation has none."""
    for candidate in (_PACKAGE / "_data", _PACKAGE.parent / "data"):
        if candidate.is_dir():
            return candidate
    raise InputError(f"{_PACKAGE}: the data that ships with bswirl is missing", "install bswirl again")


def demo_folder() -> Path:
    """The folder of the demo project's data, which also holds the adapter of the policy `demo`."""
    return data_folder() / "demo"
