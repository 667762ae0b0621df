"""How a model's verdict came about stands below it, and why there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bswirl.client import Client
from bswirl.project import Project
from bswirl.records import FrozenTree, to_json
from bswirl.runs.folder import RunFolder
from bswirl.runs.journal import JournalWriter
from tests.tui.driving import lines_of, main_screen, opened, until


def judged(client: Client, folder: Path, said: list[dict[str, Any]]) -> None:
    """A judging run from elsewhere with these verdicts on the first action."""
    tree = client.tree(client.questions(filter="sampled", limit=1)[0][0].question_id)
    action = tree.actions[0].action_id
    run = RunFolder.create(
        folder,
        kind="judge",
        name="mine",
        run_uid="6b1f0b6e-0000-4000-8000-000000000009",
        rows=[to_json(FrozenTree(tree, (action,)))],
        settings={"judge": "mine"},
    )
    about = {"t": "verdict", "action_id": action, "judge": "mine", "model": "m", "prompt_sha": "p"}
    writer = JournalWriter(run.journal_file)
    writer.append([{**about, **one} for one in said])
    writer.append([{"t": "end", "status": "done", "exit_code": 0, "summary": {}}])
    writer.close()
    client.attach_run(folder)


async def test_below_its_verdict(project: Project, bob: Client, tmp_path: Path) -> None:
    """The split, what was asked, and the cost; of an unjudged one the reason."""
    votes = {"correct": [2, 1], "progress": [3, 0], "asked": 4}
    good = {"status": "judged", "correct": True, "progress": True, "reward": 1.0, "rationale": "So it is."}
    why = "The votes are tied on \x1b[2Jcorrect."
    judged(
        bob,
        tmp_path / "run",
        [{**good, "votes": votes, "cost": 0.0021}, {"status": "unjudged", "rationale": why}],
    )
    async with opened(project) as pilot:
        detail = main_screen(pilot).detail_view
        await until(pilot, lambda: "votes correct" in " ".join(lines_of(detail)))
        words = " ".join(" ".join(lines_of(detail)).split())
        assert "So it is. votes correct 2:1, progress 3:0; 4 replies; $0.0021" in words
        assert "mine unjudged" in words.replace(" · ", " ")
        assert "The votes are tied on ␛[2Jcorrect." in words
