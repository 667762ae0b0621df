"""What the run of a form would be: a training's forecast, calls and dollars, or the time it takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.text import Text
from textual.widgets import Static

from bswirl.launch import estimate_run, estimate_time, forecast_run, make_request, split_rule
from bswirl.launch.estimate_words import estimate_lines, time_lines
from bswirl.launch.forecast_words import forecast_lines
from bswirl_tui.screens.form_base import FormBase
from bswirl_tui.text import line
from bswirl_tui.themes import palette

if TYPE_CHECKING:
    from bswirl.client import Client
    from bswirl.training.forecast import Forecast

_FIRST_ROUND = "of the first round alone: what later ones sample depends on its verdicts"


class FormOutlook(FormBase):
    """The part of the form that looks ahead. Nothing is written, started or sent."""

    def show_outlook(self, text: Text) -> None:
        """Shows what is known of the run to come, above the command line; nothing where the text is empty."""
        pane = self.query_one("#form-forecast", Static)
        pane.update(text)
        pane.display = bool(text)

    def action_form_forecast(self) -> None:
        if self.go_to_wrong():
            return
        self.show_outlook(Text("Forecasting", palette(self.app).muted))
        kind, values = self.kind, self.values

        def work(client: Client) -> Text:
            if kind != "train":
                return Text("\n").join(line(words, limit=600) for words in self._estimated(client, values))
            return self._forecast_text(forecast_run(client, make_request(kind, client.project, values)))

        def show(text: Text) -> None:
            if self.values == values:  # nothing else was filled in meanwhile
                self.show_outlook(text)

        self.bswirl.ask_owner(
            self,
            "forecast",
            work,
            show,
            failed=lambda error: show(line(str(error), palette(self.app).bad, limit=600)),
            lane="slow",
        )

    def _estimated(self, client: Client, values: dict[str, object]) -> Iterable[str]:
        options, rule = split_rule(values)
        request = make_request(self.kind, client.project, options)
        if request.served:
            words = list(estimate_lines(estimate_run(client, request)))
        else:
            words = list(time_lines(estimate_time(client, request)))
        return [*words, _FIRST_ROUND] if rule else words

    def _forecast_text(self, forecast: Forecast) -> Text:
        words = [line(words, limit=600) for words in forecast_lines(forecast)]
        if forecast.refusal:
            refusal = f"would not start: {forecast.refusal}"
            words.append(line(refusal, palette(self.app).warn, limit=600))
        return Text("\n").join(words)
