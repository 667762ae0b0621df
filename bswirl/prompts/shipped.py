"""The prompts that ship with bswirl, and prompt files as a user names them."""

from __future__ import annotations

from pathlib import Path

from bswirl.errors import InputError
from bswirl.prompts.prompt import MOST_BYTES, Prompt, Purpose
from bswirl.resources import data_folder


def shipped_text(purpose: Purpose) -> str:
    """The shipped prompt file for `purpose`, as it is. Raises InputError where the installation lacks it."""
    return prompt_text(data_folder() / "prompts" / f"{purpose}.toml")


def shipped(purpose: Purpose) -> Prompt:
    """The shipped prompt for `purpose`. Raises as `shipped_text`."""
    return Prompt.parse(shipped_text(purpose), f"{purpose}.toml, which ships with bswirl,")


def prompt_text(path: Path) -> str:
    """A prompt file's text, line ends and all. Raises InputError where it cannot be read or is too long."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InputError(
            f"{path}: {error.strerror or error}", "`bswirl prompts copy NAME FILE` makes a prompt file"
        ) from error
    if len(content) > MOST_BYTES:
        raise InputError(f"{path}: longer than {MOST_BYTES // 1024} KiB", "a prompt goes out with every call")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}, line {line}: not UTF-8", "save the file as UTF-8") from error
