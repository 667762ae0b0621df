"""The peer of the measurement: an app of Textual alone, a list beside a text, and nothing else."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.containers import Horizontal
from textual.widgets import OptionList, Static

ROWS = 200


class BareApp(App[None]):
    """Moves a cursor through a list and shows the line under it beside."""

    ENABLE_COMMAND_PALETTE = False
    CSS = "OptionList, Static { width: 1fr; height: 1fr; }"

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield OptionList(*(f"Step {row}: {row}*3={row * 3} pens are left" for row in range(ROWS)))
            yield Static("", id="detail", markup=False)

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        self.query_one("#detail", Static).update(str(event.option.prompt))


if __name__ == "__main__":
    BareApp().run()
