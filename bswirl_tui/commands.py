"""The command palette: the registry's actions that can be carried out where it was opened."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from functools import partial

from rich.text import Text
from textual.command import DiscoveryHit, Hit, Hits, Provider

from bswirl_tui import actions
from bswirl_tui.actions import ActionSpec


class RegistryCommands(Provider):
    """Finds actions by their description."""

    def _available(self) -> Iterator[tuple[ActionSpec, Callable[[], Awaitable[bool]]]]:
        seen: set[str] = set()
        for active in self.screen.active_bindings.values():
            entry = actions.find(active.binding.id)
            if entry is None or not entry.palette or entry.id in seen:
                continue
            seen.add(entry.id)
            yield entry, partial(self.app.run_action, active.binding.action, active.node)

    async def discover(self) -> Hits:
        for entry, command in self._available():
            yield DiscoveryHit(_shown(entry), command, text=entry.description, help=entry.group)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for entry, command in self._available():
            close = closeness(query, entry)
            score = max(matcher.match(entry.description), matcher.match(entry.label))
            if close or score > 0:
                yield Hit(
                    close * APART + score, _shown(entry), command, text=entry.description, help=entry.group
                )


APART = 1000.0  # more than any two letters-in-order scores differ by


def closeness(query: str, entry: ActionSpec) -> int:
    """How well what was typed is this command's name; 0 where only its letters may occur in their order."""
    words, label = query.casefold().strip(), entry.label.casefold()
    about = entry.description.casefold()
    begins = (
        words == label,
        label.startswith(words),
        about.startswith(words),
        any(part.startswith(words) for part in label.split()),
        f" {words}" in f" {about}",
        words in label or words in about,
    )
    return next((len(begins) - place for place, fits in enumerate(begins) if fits), 0) if words else 0


def _shown(entry: ActionSpec) -> Text:
    return Text.assemble(entry.description, ("  " + entry.key_display, "dim"))
