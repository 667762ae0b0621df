"""The errors that people see: what is wrong, what to do, and the exit code that says which kind it is."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every bswirl command."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    BAD_INPUT = 3
    CANCELLED = 130


class BswirlError(Exception):
    """Something a person can act on: `message` says what is wrong, `remedy` what to do about it."""

    exit_code: ExitCode = ExitCode.FAILED

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} — {self.remedy}" if self.remedy else self.message


class UsageError(BswirlError):
    """The words of a command are wrong: an unknown option value, two options that exclude each other."""

    exit_code = ExitCode.USAGE


class InputError(BswirlError):
    """Something that was read is missing, broken or not what it should be."""

    exit_code = ExitCode.BAD_INPUT


class CancelledError(BswirlError):
    """The user stopped the work."""

    exit_code = ExitCode.CANCELLED


ERROR_KINDS: dict[str, type[BswirlError]] = {
    "failed": BswirlError,
    "usage": UsageError,
    "input": InputError,
    "cancelled": CancelledError,
}


def error_kind(error: BswirlError) -> str:
    """The name under which an error travels over the socket and through journals."""
    for kind, cls in ERROR_KINDS.items():
        if type(error) is cls:
            return kind
    return next(
        (kind for kind, cls in ERROR_KINDS.items() if kind != "failed" and isinstance(error, cls)), "failed"
    )
