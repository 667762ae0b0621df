"""Which selection a training run works on: the one that its options spell out, or a saved one by its name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bswirl.client import Client
from bswirl.errors import UsageError
from bswirl.launch.requests import RunRequest, check_selection, select_of


def with_selection(client: Client, request: RunRequest) -> RunRequest:
    """The request with its saved selection's definition in place of the name; others as they are.

    Raises InputError where there is no such selection, UsageError where the run must not train on it.
    """
    if request.selection is None or request.saved is not None:
        return request
    saved = client.selection(request.selection)
    try:
        check_selection(saved.selection, allow_test=request.allow_test, from_solutions=request.from_solutions)
    except UsageError as error:
        raise UsageError(f"selection {saved.name}: {error.message}", error.remedy) from error
    select = select_of(saved.selection, from_solutions=request.from_solutions)
    return replace(request, select={**select, **request.select}, saved=saved)


def provenance(request: RunRequest) -> dict[str, Any]:
    """What a run's config holds of the saved selection: its name, whose it is, and all that it says."""
    if request.saved is None:
        return {}
    saved = request.saved
    return {
        "selection": {
            "name": saved.name,
            "created_by": saved.created_by,
            "created_at": saved.created_at,
            **saved.selection.to_json(),
        }
    }
