"""Two judges on the same actions: counts, agreement, and flips with people's word first."""

from __future__ import annotations

import pytest

from bswirl.errors import InputError
from bswirl.store.flips import compare_judges
from bswirl.store.judges import list_judges
from bswirl.store.trees import read_tree
from tests.store.kit import Kit, trajectory, verdict


@pytest.fixture
def judged(kit: Kit) -> list[int]:
    """Eight actions of four steps each; judge `one` with two prompts, and `two` on some of them."""
    kit.questions(2)
    for question in (1, 2):
        kit.feed(kit.run(number=question), trajectory(question, 0, *"abcd", answer=False))
    actions = [action.action_id for number in (1, 2) for action in read_tree(kit.cursor, number).actions]
    #         1  2  3  4  5  6  7  8
    first = [(1, 1), (1, 1), (1, 1), (1, 0), (0, 1), (0, 0), (1, 1), (1, 1)]
    second = [(1, 1), (0, 1), (1, 1), (1, 1), (0, 1), (0, 1), (0, 0)]
    run = kit.run("judge", 3)
    for prompt, said in (("p1", first), ("p2", second)):
        for action, (correct, progress) in zip(actions, said, strict=False):
            more = {"correct": bool(correct), "progress": bool(progress), "rationale": f"{prompt} {action}"}
            kit.feed(run, {**verdict(action, float(correct and progress), "one", prompt), **more})
    kit.feed(run, verdict(actions[0], None, "one", "p2"))  # unjudged: the verdict before it counts
    kit.feed(run, verdict(actions[0], 1.0, "two"))
    return actions


class TestCompare:
    def test_counts_by_measure_and_depth(self, kit: Kit, judged: list[int]) -> None:
        """Over actions that both judged; what only one did is counted apart."""
        found = compare_judges(kit.cursor, 1, 2, 50)
        assert (found["a"].prompt_sha, found["b"].prompt_sha) == ("p1", "p2")
        assert found["judged"] == {"both": 7, "only_a": 1, "only_b": 0}
        reward = found["overall"]["reward"]
        assert [reward[name] for name in ("both", "only_a", "only_b", "neither")] == [2, 2, 1, 2]
        assert reward["agreement"] == pytest.approx(4 / 7)
        # p_e = (4·3 + 3·4)/49, κ = (4/7 − 24/49)/(1 − 24/49)
        assert reward["kappa"] == pytest.approx((28 - 24) / (49 - 24))
        assert found["overall"]["correct"]["only_a"] == 2
        assert [at["depth"] for at in found["depths"]] == [1, 2, 3, 4]
        assert sum(at["reward"]["only_a"] for at in found["depths"]) == 2
        second = found["depths"][1]["reward"]
        assert (second["only_a"], second["neither"], second["kappa"]) == (1, 1, 0.0)

    def test_flips_that_people_labelled_come_first(self, kit: Kit, judged: list[int]) -> None:
        """With whom they agree; then flipped rewards, then verdicts that differ in a part alone."""
        kit.label(judged[6], "0")
        kit.label(judged[3], "0")
        kit.label(judged[0], "1")
        kit.label(judged[1], "unsure")
        found = compare_judges(kit.cursor, 1, 2, 50)
        flips = [(flip["action_id"], flip["human"], flip["agrees"]) for flip in found["flips"]]
        assert flips == [
            (judged[3], 0.0, "a"),
            (judged[6], 0.0, "b"),
            (judged[1], None, None),
            (judged[5], None, None),
        ]
        assert found["labelled"] == {"flips": 2, "agree_a": 1, "agree_b": 1}
        flip = found["flips"][0]
        assert (flip["question"], flip["depth"], flip["text"]) == ("toy:q1", 4, "d")
        assert flip["a"] == {
            "reward": False,
            "correct": True,
            "progress": False,
            "rationale": f"p1 {judged[3]}",
        }

    def test_a_limit(self, kit: Kit, judged: list[int]) -> None:
        """Shortens the list, not the counts."""
        found = compare_judges(kit.cursor, 1, 2, 1)
        assert (len(found["flips"]), found["flipped"]) == (1, 4)

    def test_names(self, kit: Kit, judged: list[int]) -> None:
        """One name twice means its two prompts; an ambiguous or unknown name says what there is."""
        ids = {judge.prompt_sha: judge.judge_id for judge in list_judges(kit.cursor)}
        found = compare_judges(kit.cursor, "one", "one", 1)
        assert (found["a"].judge_id, found["b"].judge_id) == (ids["p1"], ids["p2"])
        found = compare_judges(kit.cursor, "two", str(ids["p1"]), 1)
        assert (found["a"].name, found["judged"]["both"]) == ("two", 1)
        with pytest.raises(InputError, match=r"several judges are called `one`.*prompt p1"):
            compare_judges(kit.cursor, "one", "two", 1)
        with pytest.raises(InputError, match="no judge `three`"):
            compare_judges(kit.cursor, "two", "three", 1)
        with pytest.raises(InputError, match="one judge"):
            compare_judges(kit.cursor, "two", "two", 1)

    def test_imported_verdicts_know_no_parts(self, kit: Kit, judged: list[int]) -> None:
        """Only the rewards are compared then."""
        kit.feed(kit.run("judge", 4), verdict(judged[0], 0.0, "three"))
        found = compare_judges(kit.cursor, "two", "three", 5)
        assert found["overall"]["correct"]["agreement"] is None
        assert found["overall"]["reward"]["only_a"] == 1
        assert found["flips"][0]["a"]["correct"] is None
