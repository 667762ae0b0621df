"""Effective rewards, advantages and question statistics against a plain reading of docs/method.md."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bswirl.records import Action
from bswirl.store.judges import apply_ranking, rank_judge
from bswirl.store.labels import undo_label
from bswirl.store.queries import count_everything, list_questions
from bswirl.store.statistics import count_stale, forget_statistics, put_counts, refresh_statistics
from bswirl.store.trees import read_tree
from tests.store.kit import Kit, branches, kit_in, memory_folder, trajectory, verdict

RANKING = ("answer-check", "first", "second")
AUDITORS = ("ann", "bob", "cy")


@dataclass
class Said:
    """Everything said of actions, in order."""

    verdicts: list[tuple[int, str, float | None, bool | None]] = field(default_factory=list)
    labels: list[dict[str, Any]] = field(default_factory=list)

    def in_force(self, action_id: int) -> list[dict[str, Any]]:
        """The newest label of each auditor that was not withdrawn; a skip takes the place of skips alone."""
        newest: dict[str, dict[str, Any]] = {}
        for label in self.labels:
            if label["action_id"] != action_id or label["withdrawn"]:
                continue
            before = newest.get(label["auditor"])
            if before is None or label["value"] != "skip" or before["value"] == "skip":
                newest[label["auditor"]] = label
        return sorted(newest.values(), key=self.labels.index)

    def judge(self, action_id: int) -> tuple[float | None, str | None, bool | None]:
        for name in RANKING:
            rewards = [
                (r, name, progress)
                for a, judge, r, progress in self.verdicts
                if a == action_id and judge == name and r is not None
            ]
            if rewards:
                return rewards[-1]
        return None, None, None

    def override(self, action_id: int) -> tuple[float | None, bool]:
        votes = [label for label in self.in_force(action_id) if label["value"] in ("0", "1")]
        adjudicated = [label for label in votes if label["adjudicates"]]
        if adjudicated:
            return float(adjudicated[-1]["value"]), False
        values = {label["value"] for label in votes}
        if len(values) == 1:
            return float(values.pop()), False
        return None, len(values) > 1


def expected(said: Said, action: Action) -> dict[str, Any]:
    judged, judge, progress = said.judge(action.action_id)
    human, conflict = said.override(action.action_id)
    words = said.in_force(action.action_id)
    in_force = [label for label in words if label["value"] != "skip"] or words
    reward = judged if human is None else human
    source = "human" if human is not None else None
    if human is None and judged is not None:
        source = "answer" if judge == "answer-check" else "judge"
    return {
        "judge_reward": judged,
        "judge": judge,
        "judge_progress": progress,
        "human_reward": human,
        "reward": reward,
        "source": source,
        "conflict": conflict,
        "label": in_force[-1]["value"] if in_force else None,
    }


def grow(kit: Kit, rng: random.Random) -> list[int]:
    """Random trees; returns the numbers of their actions."""
    kit.questions(3)
    rows = []
    for question in (1, 2, 3):
        for number in range(rng.randint(0, 3)):
            steps = [rng.choice("ab") for _ in range(rng.randint(1, 3))]
            rows.append(trajectory(question, number, *steps, is_correct=rng.random() < 0.5))
            rows += [
                branches(question, number, step, *(rng.choice("abc") for _ in range(2)))
                for step in range(1, len(steps) + 1)
            ]
    kit.feed(kit.run(), *rows)
    return [number for (number,) in kit.all("SELECT action_id FROM actions ORDER BY 1")]


def say(kit: Kit, rng: random.Random, actions: list[int]) -> Said:
    """Random verdicts, labels and withdrawals."""
    said = Said()
    judge_run = kit.run("judge", 2)
    with kit.writer.transaction():
        apply_ranking(kit.writer, RANKING)
    for _ in range(rng.randint(0, 30)):
        action_id = rng.choice(actions)
        if rng.random() < 0.5:
            name = rng.choice([*RANKING, "nobody"])
            reward = rng.choice([0.0, 1.0, 0.25, None])
            progress = rng.choice([True, False, None])
            kit.feed(judge_run, verdict(action_id, reward, name, progress=progress))
            said.verdicts.append((action_id, name, reward, progress))
        elif rng.random() < 0.75:
            label: dict[str, Any] = {
                "action_id": action_id,
                "value": rng.choice(["0", "1", "0", "1", "unsure", "skip"]),
                "auditor": rng.choice(AUDITORS),
                "adjudicates": rng.random() < 0.2,
            }
            label["uid"] = kit.label(
                action_id, label["value"], label["auditor"], adjudicates=label["adjudicates"]
            )
            said.labels.append({**label, "withdrawn": False})
        else:
            auditor = rng.choice(AUDITORS)
            with kit.writer.transaction():
                gone = undo_label(kit.writer, f"00000000-0000-4000-8000-{rng.getrandbits(48):012x}", auditor)
            standing = [
                label for label in said.labels if label["auditor"] == auditor and not label["withdrawn"]
            ]
            assert (gone.client_uid if gone else None) == (standing[-1]["uid"] if standing else None)
            if standing:
                standing[-1]["withdrawn"] = True
    return said


class TestRewards:
    @settings(max_examples=10, deadline=None)
    @given(st.integers(0, 10**9))
    def test_sql_and_the_plain_rules_agree(self, seed: int) -> None:
        """Whatever judges and auditors say, withdraw and adjudicate: each action, each group, each count."""
        rng = random.Random(seed)
        with memory_folder() as folder, kit_in(folder) as kit:
            actions = grow(kit, rng)
            if not actions:
                return
            said = say(kit, rng, actions)
            refresh_statistics(kit.writer)
            rows, total = list_questions(
                kit.cursor,
                search="",
                dataset=None,
                split=None,
                only="all",
                sort="id",
                descending=False,
                offset=0,
                limit=10,
            )
            assert total == 3
            judges: dict[int | None, str | None] = {None: None}
            judges |= dict(kit.all("SELECT judge_id, name FROM judges"))
            for row in rows:
                tree = read_tree(kit.cursor, row.question_id)
                live = dead = 0
                weight = total_reward = 0.0
                for group in tree.by_state().values():
                    rewarded = [a for a in group if expected(said, a)["reward"] is not None]
                    rewards = {expected(said, a)["reward"] for a in rewarded}
                    live += len(rewards) > 1
                    dead += len(rewards) == 1
                    samples = sum(a.samples for a in rewarded)
                    baseline = (
                        sum(a.samples * expected(said, a)["reward"] for a in rewarded) / samples
                        if samples
                        else 0
                    )
                    weight += samples
                    total_reward += baseline * samples
                    for action in group:
                        wanted = expected(said, action)
                        assert {name: getattr(action, name) for name in wanted} == wanted
                        assert judges[action.judge_id] == action.judge
                        if wanted["reward"] is None:
                            assert action.advantage is None
                        else:
                            assert action.advantage == pytest.approx(wanted["reward"] - baseline)
                assert (row.live_groups, row.dead_groups) == (live, dead)
                assert row.actions == len(tree.actions)
                assert row.states == len(tree.states)
                assert row.samples == sum(a.samples for a in tree.actions)
                assert row.judged == sum(a.judge_reward is not None for a in tree.actions)
                assert row.labelled == sum(a.label is not None for a in tree.actions)
                assert row.mean_reward == (pytest.approx(total_reward / weight) if weight else None)
            counts = count_everything(kit.cursor)
            assert counts["labels"] == sum(len(said.in_force(action_id)) for action_id in actions)
            assert counts["judged"] + counts["unjudged"] == counts["actions"] == len(actions)
            before = kit.all("SELECT * FROM question_stats ORDER BY ALL")
            with kit.writer.transaction():
                assert forget_statistics(kit.writer) == 3
            refresh_statistics(kit.writer)
            assert kit.all("SELECT * FROM question_stats ORDER BY ALL") == before

    @pytest.mark.parametrize("word", ["0", "1", "unsure", "skip"])
    def test_a_skip_hides_nobodys_word(self, kit: Kit, word: str) -> None:
        """It decides nothing, however new it is."""
        kit.questions(1)
        kit.feed(kit.run(), trajectory(1, 0, "a", answer=False))
        kit.label(1, word, "bob")
        kit.label(1, "skip", "cy")
        (action,) = read_tree(kit.cursor, 1).actions
        assert action.label == word

    def test_an_action_without_samples_weighs_nothing(self, kit: Kit) -> None:
        """A step known from a prefix alone has a reward but no part in the baseline."""
        kit.questions(1)
        kit.feed(kit.run(), trajectory(1, 0, "a", answer=False), branches(1, 0, 1, "b"))
        kit.database.execute("INSERT INTO actions VALUES (99, 1, 1, 1, false, 'ghost')")
        for action_id, value in ((1, "1"), (2, "0"), (99, "1")):
            kit.label(action_id, value)
        advantages = {a.text: a.advantage for a in read_tree(kit.cursor, 1).actions}
        assert advantages == {"a": 0.5, "b": -0.5, "ghost": 0.5}


class TestJudgeRanking:
    def verdicts(self, kit: Kit) -> dict[str, tuple[float | None, str | None]]:
        return {a.text: (a.reward, a.judge) for a in read_tree(kit.cursor, 1).actions}

    def seed(self, kit: Kit) -> int:
        kit.questions(1)
        kit.feed(kit.run(), trajectory(1, 0, "a", "Answer: 24"))
        with kit.writer.transaction():
            apply_ranking(kit.writer, ["answer-check", "reference"])
        return kit.run("judge", 2)

    def test_a_new_judge_changes_nothing_until_it_is_ranked(self, kit: Kit) -> None:
        """Neither an unlisted name nor another prompt of a listed one decides by itself."""
        run = self.seed(kit)
        kit.feed(run, verdict(1, 1.0), verdict(2, 1.0, "answer-check"))
        kit.feed(run, verdict(1, 0.0, "llm"), verdict(1, 0.0, prompt_sha="r2"))
        assert self.verdicts(kit)["a"] == (1.0, "reference")
        with kit.writer.transaction():
            rank_judge(kit.writer, "llm", 1)
        assert self.verdicts(kit)["a"] == (0.0, "llm")
        with kit.writer.transaction():
            rank_judge(kit.writer, "llm", None)
            rank_judge(kit.writer, "reference", 1)
        assert self.verdicts(kit)["a"] == (0.0, "reference")
        assert kit.all("SELECT name, prompt_sha, rank FROM judges ORDER BY rank NULLS LAST") == [
            ("reference", "r2", 1),
            ("answer-check", "r1", 2),
            ("reference", "r1", 3),
            ("llm", "r1", None),
        ]

    def test_a_later_version_of_rules_decides_what_the_earlier_did_not(self, kit: Kit) -> None:
        """It stands right behind it, also when the settings' order is applied anew."""
        run = self.seed(kit)
        kit.feed(run, verdict(1, 1.0, model="rules"), verdict(1, 0.0, "llm"))
        kit.feed(run, verdict(1, 0.0, prompt_sha="r2", model="rules"))
        kit.feed(run, verdict(2, 0.0, prompt_sha="r2", model="rules"))
        for names in (["answer-check", "reference"], ["reference", "answer-check"]):
            with kit.writer.transaction():
                apply_ranking(kit.writer, names)
            assert self.verdicts(kit) == {"a": (1.0, "reference"), "Answer: 24": (0.0, "reference")}
        assert kit.all("SELECT name, prompt_sha FROM judges WHERE rank IS NOT NULL ORDER BY rank") == [
            ("reference", "r1"),
            ("reference", "r2"),
        ]

    def test_listed_judges_rank_in_the_settings_order(self, kit: Kit) -> None:
        """Whoever speaks first: the settings' order holds."""
        run = self.seed(kit)
        kit.feed(run, verdict(1, 1.0), verdict(1, 0.0, "answer-check"))
        assert self.verdicts(kit)["a"] == (0.0, "answer-check")

    def test_the_settings_are_applied_when_they_change(self, kit: Kit) -> None:
        """A ranking set by hand lasts until the list in the settings is another one."""
        run = self.seed(kit)
        kit.feed(run, verdict(1, 1.0), verdict(1, 0.0, "llm"))
        with kit.writer.transaction():
            rank_judge(kit.writer, "llm", 1)
            assert not apply_ranking(kit.writer, ["answer-check", "reference"])
        assert self.verdicts(kit)["a"] == (0.0, "llm")
        with kit.writer.transaction():
            assert apply_ranking(kit.writer, ["reference"])
        assert self.verdicts(kit)["a"] == (1.0, "reference")
        with kit.writer.transaction():
            apply_ranking(kit.writer, ["llm", "reference"])
        assert self.verdicts(kit)["a"] == (0.0, "llm")

    def test_unjudged_is_no_zero(self, kit: Kit) -> None:
        """An unreadable reply leaves the action without a reward, and an older verdict in force."""
        run = self.seed(kit)
        kit.feed(run, verdict(1, None))
        assert self.verdicts(kit)["a"] == (None, None)
        kit.feed(run, verdict(1, 1.0), verdict(1, None))
        assert self.verdicts(kit)["a"] == (1.0, "reference")

    def test_unknown_judges_and_ranks_are_refused(self, kit: Kit) -> None:
        """The error names the judges there are."""
        from bswirl.errors import InputError, UsageError

        run = self.seed(kit)
        kit.feed(run, verdict(1, 1.0))
        with pytest.raises(InputError, match=r"no judge `nobody`.*reference"), kit.writer.transaction():
            rank_judge(kit.writer, "nobody", 1)
        with pytest.raises(UsageError, match="0 is no rank"), kit.writer.transaction():
            rank_judge(kit.writer, "reference", 0)


class TestCounting:
    def test_what_changes_while_counting_stays_stale(self, kit: Kit) -> None:
        """Counts are put in place later; a label in between is counted by the next refresh."""
        kit.questions(2)
        kit.feed(kit.run(), trajectory(1, 0, "a"), trajectory(2, 0, "a"))
        kit.label(1, "1")
        counts = count_stale(kit.cursor)
        kit.label(2, "1")
        with kit.writer.transaction():
            put_counts(kit.writer, counts)
        labelled = "SELECT question_id, labelled FROM question_stats ORDER BY 1"
        assert kit.all(labelled) == [(1, 1), (2, 0)]
        assert kit.stale()
        refresh_statistics(kit.writer)
        assert kit.all(labelled) == [(1, 1), (2, 1)]
        assert not kit.stale()

    def test_stale_questions_are_known_after_a_restart(self, tmp_path: Path) -> None:
        """Nothing was counted before the owner died: the next one counts."""
        with kit_in(tmp_path) as kit:
            kit.questions(1)
            kit.feed(kit.run(), trajectory(1, 0, "a"))
        with kit_in(tmp_path) as kit:
            assert kit.stale()
            refresh_statistics(kit.writer)
            assert kit.one("SELECT actions FROM question_stats") == 1
            kit.label(1, "0")
            assert kit.stale()
