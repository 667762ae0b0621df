"""A prompt file: what it may hold, and the chat messages that it makes of a question and its steps."""

from __future__ import annotations

import difflib
import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bswirl.errors import InputError

Purpose = Literal["solution", "step", "judge"]
ChatMessage = tuple[str, str]  # role, content

PURPOSES: tuple[Purpose, ...] = ("solution", "step", "judge")
REQUIRED: dict[Purpose, tuple[str, ...]] = {
    "solution": ("question",),
    "step": ("question", "steps"),
    "judge": ("question", "steps", "step"),
}
OPTIONAL: dict[Purpose, tuple[str, ...]] = {"solution": (), "step": (), "judge": ("solution",)}
MOST_BYTES = 128 * 1024
MOST_EXAMPLES = 32
NOTHING = "(none)"  # stands where there are no steps yet, or no gold solution

_KEYS = ("name", "purpose", "version", "system", "user", "examples")
_PLACEHOLDER = re.compile(r"\{(question|steps|step|solution)\}")
_CLOSING = re.compile(r"</([A-Za-z][\w-]{0,40})>")
_BRACED = re.compile(r"\{{1,2}\s*([A-Za-z][\w-]{0,30})\s*\}{1,2}")
_LIKENESS = 0.75  # `{questions}`, `{stpes}` and `{quesiton}` are this like a placeholder; `{answer}` is not


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt file that was read and checked. `sha` is the SHA-256 of its text, which names it exactly."""

    name: str
    purpose: Purpose
    version: str
    sha: str
    text: str  # the whole file
    system: str
    examples: tuple[tuple[str, str], ...]  # the user's turn, and the reply to it
    user: str  # with its placeholders

    @classmethod
    def parse(cls, text: str, where: str) -> Prompt:
        """The prompt in a file's text. Raises InputError that begins with `where` and says what to mend."""
        return _Reader(text, where).prompt()

    @property
    def placeholders(self) -> tuple[str, ...]:
        """Those that `user` has, in the order in which they first stand there."""
        return tuple(dict.fromkeys(_PLACEHOLDER.findall(self.user)))

    def messages(self, **values: str | None) -> tuple[ChatMessage, ...]:
        """The chat messages with `values` put in: system, examples, and the user's turn.

        Values are put in literally and never looked through, but for tags of the prompt's own, which they
        cannot close; steps or a gold solution that are empty show as "(none)". Raises ValueError where a
        placeholder other than these has no value.
        """
        system = (("system", self.system),) if self.system else ()
        shots = tuple(
            turn for asked, reply in self.examples for turn in (("user", asked), ("assistant", reply))
        )
        return (*system, *shots, ("user", _filled(self.user, values)))


def _filled(template: str, values: Mapping[str, str | None]) -> str:
    tags = sorted(set(_CLOSING.findall(template)))
    closing = (
        re.compile(rf"</(?=\s*(?:{'|'.join(map(re.escape, tags))})\s*>)", re.IGNORECASE) if tags else None
    )

    def value(match: re.Match[str]) -> str:
        text = plain(match)
        return closing.sub("< /", text) if closing else text

    def plain(match: re.Match[str]) -> str:
        name = match.group(1)
        found = values.get(name)
        if name in ("steps", "solution"):
            return found or NOTHING
        if found is None:
            raise ValueError(f"the prompt needs a value for {{{name}}}")
        return found

    return _PLACEHOLDER.sub(value, template)


def digest(text: str) -> str:
    """The `sha` of a prompt file's text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class _Reader:
    """Reads one prompt file; every error names the file and, where it can be told, the line."""

    def __init__(self, text: str, where: str) -> None:
        self._text = text
        self._where = where

    def prompt(self) -> Prompt:
        if len(self._text.encode("utf-8", "surrogatepass")) > MOST_BYTES:
            raise self._error(f"longer than {MOST_BYTES // 1024} KiB", "a prompt goes out with every call")
        table = self._table()
        self._known(table, _KEYS, "a prompt")
        purpose = self._purpose(table)
        user = self._string(table, "user")
        if not user.strip():
            raise self._error("`user` is missing or empty", f"write {self._sketch(purpose)}", key="user")
        system = self._string(table, "system")
        self._check_system(system)
        self._check_placeholders(user, purpose)
        return Prompt(
            name=self._string(table, "name").strip() or purpose,
            purpose=purpose,
            version=self._string(table, "version").strip(),
            sha=digest(self._text),
            text=self._text,
            system=system.strip(),
            examples=self._examples(table, user, purpose),
            user=user,
        )

    def _table(self) -> dict[str, Any]:
        try:
            return tomllib.loads(self._text)
        except tomllib.TOMLDecodeError as error:
            raise self._error(f"not valid TOML: {error}", "mend that line") from error
        except RecursionError as error:
            raise self._error("nested too deeply", "a prompt file has no lists in lists") from error

    def _purpose(self, table: dict[str, Any]) -> Purpose:
        said = self._string(table, "purpose")
        for purpose in PURPOSES:
            if said == purpose:
                return purpose
        what = f"unknown purpose {said!r}" if said else "`purpose` is missing"
        raise self._error(what, 'write purpose = "solution", "step" or "judge"', key="purpose")

    def _string(self, table: dict[str, Any], key: str, *, about: str = "") -> str:
        value = table.get(key, "")
        if not isinstance(value, str):
            raise self._error(f"{about}`{key}` must be a text", f'write {key} = "…"', key=key)
        return value

    def _known(self, table: dict[str, Any], keys: tuple[str, ...], what: str) -> None:
        for key in table:
            if key not in keys:
                meant = difflib.get_close_matches(key, keys, 1)
                remedy = f"did you mean `{meant[0]}`?" if meant else f"{what} has {', '.join(keys)}"
                raise self._error(f"unknown key `{key}`", remedy, key=key)

    def _examples(self, table: dict[str, Any], user: str, purpose: Purpose) -> tuple[tuple[str, str], ...]:
        rows = table.get("examples", [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise self._error("`examples` must be tables", "write [[examples]] above each", key="examples")
        if len(rows) > MOST_EXAMPLES:
            raise self._error(f"{len(rows)} examples; there may be {MOST_EXAMPLES}", "leave some out")
        return tuple(self._example(row, number, user, purpose) for number, row in enumerate(rows, 1))

    def _example(self, row: dict[str, Any], number: int, user: str, purpose: Purpose) -> tuple[str, str]:
        about = f"example {number}: "
        line = self._line_of(re.compile(r"^[ \t]*\[\[\s*examples\s*\]\]", re.MULTILINE), number)
        names = (*REQUIRED[purpose], *OPTIONAL[purpose])
        for key in row:
            if key not in (*names, "reply"):
                raise self._error(
                    f"{about}unknown key `{key}`", f"an example has {', '.join(names)}, reply", line=line
                )
        for key in (*REQUIRED[purpose], "reply"):
            if not isinstance(row.get(key), str):
                raise self._error(f"{about}`{key}` is no text or missing", f'write {key} = "…"', line=line)
            if key != "steps" and not row[key].strip():
                raise self._error(f"{about}`{key}` is empty", f'write {key} = "…"', line=line)
        self._string(row, "solution", about=about)
        return _filled(user, row), row["reply"].strip()

    def _check_system(self, system: str) -> None:
        if found := _PLACEHOLDER.search(system):
            raise self._error(
                f"`system` holds {found.group()}",
                "placeholders belong into `user`; `system` is the same for every call",
                line=self._line_in("system", found.group()),
            )

    def _check_placeholders(self, user: str, purpose: Purpose) -> None:
        known = (*REQUIRED[purpose], *OPTIONAL[purpose])
        shown = ", ".join(f"{{{name}}}" for name in known)
        for match in _BRACED.finditer(user):
            self._check_braced(match, purpose, known, shown)
        for name in REQUIRED[purpose]:
            if f"{{{name}}}" not in user:
                raise self._error(
                    f"`user` lacks {{{name}}}", f"a {purpose} prompt needs it in `user`", key="user"
                )

    def _check_braced(
        self, match: re.Match[str], purpose: Purpose, known: tuple[str, ...], shown: str
    ) -> None:
        found, word = match.group(), match.group(1)
        if found in (f"{{{name}}}" for name in known):
            return
        everywhere = {name for names in (*REQUIRED.values(), *OPTIONAL.values()) for name in names}
        meant = difflib.get_close_matches(word.lower(), sorted(everywhere), 1, _LIKENESS)
        if not meant:
            return  # braces of the text's own, as in \boxed{answer}
        if meant[0] in known:
            remedy = f"did you mean {{{meant[0]}}}?"
        else:
            remedy = f"a {purpose} prompt may hold {shown}"
        line = self._line_in("user", found)
        raise self._error(f"unknown placeholder {found} in `user`", remedy, line=line)

    def _sketch(self, purpose: Purpose) -> str:
        return 'user = "' + " … ".join(f"{{{name}}}" for name in REQUIRED[purpose]) + '"'

    def _line_in(self, key: str, found: str) -> int | None:
        """The line of a text within the value of a key."""
        return self._line_of(re.compile(re.escape(found)), start=self._start_of(key))

    def _line_of(self, pattern: re.Pattern[str], number: int = 1, start: int = 0) -> int | None:
        """The line of the pattern's match of that number, from 1, outside of comments; None where none is."""
        for match in pattern.finditer(self._text, start):
            line_start = self._text.rfind("\n", 0, match.start()) + 1
            if self._text[line_start : match.start()].lstrip().startswith("#"):
                continue
            number -= 1
            if number == 0:
                return self._text.count("\n", 0, match.start()) + 1
        return None

    def _start_of(self, key: str) -> int:
        """Where the line of a key begins; 0 where it cannot be told."""
        match = _key_pattern(key).search(self._text)
        return match.start() if match else 0

    def _error(
        self, message: str, remedy: str, *, key: str | None = None, line: int | None = None
    ) -> InputError:
        if key is not None:
            line = self._line_of(_key_pattern(key))
        place = f"{self._where}, line {line}" if line else self._where
        return InputError(f"{place}: {message}", remedy)


def _key_pattern(key: str) -> re.Pattern[str]:
    return re.compile(rf"^[ \t\[]*[\"']?{re.escape(key)}[\"']?\s*[=\]]", re.MULTILINE)
