"""`swirl-onpolicy`: fresh actions of a tiny policy that writes sums, right or wrong, as it is trained."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from bswirl.errors import CancelledError
from bswirl.policies.base import Sampled
from bswirl.policies.catalogue import PolicySpec
from bswirl.policies.local import LoadedModel
from bswirl.policies.rendering import encode_row
from bswirl.records import Action, FrozenTree, Question, QuestionTree, State, to_json
from bswirl.runs.context import RunContext
from bswirl.runs.folder import RunFolder
from bswirl.training import onpolicy, work
from bswirl.training.adapter import attach_adapter
from bswirl.training.onpolicy import FreshActions
from bswirl.training.rows import TrainingRow
from bswirl.training.sampling import policy_in_training
from bswirl.training.selection import logged_states
from bswirl.training.settings import TrainSettings
from tests.tiny import perturb, tiny_model, tiny_tokenizer
from tests.training.runs import QUICK, curves, metric, same_weights, train

NUMBERS = (2, 3, 4)
ONPOLICY: dict[str, Any] = QUICK | {
    "objective": "swirl-onpolicy",
    "lora_dropout": 0.0,
    "lora_r": 4,
    "batch": 3,
}


def sums(number: int) -> tuple[str, str]:
    """A right step and a wrong one."""
    return tuple(f"{number} + {number} = {result}" for result in (2 * number, 2 * number + 1))  # type: ignore[return-value]


def sum_tree(number: int, *, probe: bool = False) -> FrozenTree:
    """The logged solution of `n + n`: a right step, then a right answer; a wrong branch at each state."""
    question = Question(
        number, "sums", "train", str(number), f"What is {number} + {number}?", str(2 * number)
    )
    first, second = number * 10, number * 10 + 1
    states = (State(first, number, 0), State(second, number, 1, first, number * 100))
    texts = (*sums(number), f"Answer: {2 * number}", f"Answer: {2 * number + 1}")
    actions = tuple(
        Action(
            action_id=number * 100 + index,
            state_id=(first, second)[index // 2],
            depth=1 + index // 2,
            is_answer=index > 1,
            text=text,
            samples=1,
            backbone=1 - index % 2,
            reward=float(1 - index % 2),
            source="answer" if index > 1 else "judge",
        )
        for index, text in enumerate(texts)
    )
    tree = QuestionTree(question, states, actions)
    return FrozenTree(tree, tuple(action.action_id for action in actions), probe)


@pytest.fixture(scope="module")
def writer() -> Any:
    """A tiny model that writes right and wrong sums and answers, each about half of the time."""
    torch.set_num_threads(1)
    tokenizer, model = tiny_tokenizer(), tiny_model(hidden_size=48, intermediate_size=96)
    rows = []
    for number in NUMBERS:
        question = f"What is {number} + {number}?"
        for step in sums(number):
            rows.append(encode_row(tokenizer, question, (), step, False))
            answers = [f"Answer: {result}" for result in (2 * number, 2 * number + 1)]
            rows += [encode_row(tokenizer, question, (step,), answer, True) for answer in answers]
    ids = torch.full((len(rows), max(len(row.ids) for row in rows)), tokenizer.pad_token_id)
    labels = torch.full_like(ids, -100)
    for index, row in enumerate(rows):
        ids[index, : len(row.ids)] = torch.tensor(row.ids)
        labels[index, row.action_start : len(row.ids)] = torch.tensor(row.ids[row.action_start :])
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(160):
        optimizer.zero_grad()
        model(input_ids=ids, labels=labels).loss.backward()
        optimizer.step()
    return model.eval()


@pytest.fixture(scope="module")
def policy(writer: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("writer") / "tiny"
    writer.save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


def make_run(path: Path, policy: Path, **settings: Any) -> RunFolder:
    return RunFolder.create(
        path,
        kind="train",
        name="test",
        run_uid="uid",
        run_id=1,
        rows=[to_json(sum_tree(number)) for number in NUMBERS] + [to_json(sum_tree(5, probe=True))],
        settings=ONPOLICY | settings,
        policies={"tiny": PolicySpec("tiny", str(policy)).to_json()},
    )


def fresh_actions(policy: Path, *, perturbed: int = 0, **values: Any) -> FreshActions:
    """Fresh actions of the writer with a new adapter, which `perturbed` makes differ from the base."""
    from bswirl.policies.local import load_model

    settings = TrainSettings.from_dict(ONPOLICY | values)
    spec = PolicySpec("tiny", str(policy))
    loaded: LoadedModel = load_model(spec, device="cpu", dtype=torch.float32)
    torch.manual_seed(0)
    model = attach_adapter(loaded.model, settings, "tiny")
    if perturbed:
        perturb(model, seed=perturbed, scale=0.04)
    states = {number: logged_states(sum_tree(number)) for number in NUMBERS}
    warnings: list[str] = []
    return FreshActions(model, policy_in_training(model, loaded, spec), states, settings, warnings.append)


def rows_of(fresh: FreshActions, step: int, questions: tuple[int, ...] = NUMBERS) -> list[TrainingRow]:
    return fresh.at(step, questions, lambda: None).rows


class TestFreshActions:
    def test_one_judged_row_a_logged_state(self, policy: Path) -> None:
        """c = R of the judge that fits: arithmetic for steps, gold for answers. No action's number."""
        tokenizer = tiny_tokenizer()
        fresh = fresh_actions(policy)
        seen = set()
        for step in range(1, 9):
            made = fresh.at(step, NUMBERS, lambda: None)
            assert (made.samples, made.unparsed + made.unjudged + len(made.rows)) == (6, 6)
            assert len({row.action_id for row in made.rows}) == len(made.rows)
            for row in made.rows:
                assert row.action_id < -1
                assert (row.samples, row.coefficient) == (1, row.reward)
                text = tokenizer.decode(row.ids[row.action_start :])
                number, is_answer = divmod(row.state_id, 10)
                right = f"Answer: {2 * number}<|im_end|>" if is_answer else f"{sums(number)[0]}\n"
                assert row.reward == float(text == right), text
                seen.add((bool(is_answer), row.reward))
        assert len(seen) == 4  # right and wrong ones of both kinds

    def test_follows_seed_step_and_state_alone(self, policy: Path) -> None:
        """The same again for the same step, whatever other questions are beside; others for another."""
        fresh = fresh_actions(policy)
        first = rows_of(fresh, 3)
        state = torch.get_rng_state()
        again = rows_of(fresh, 3)
        assert torch.equal(torch.get_rng_state(), state)
        assert again == first
        alone = rows_of(fresh, 3, (3,))
        assert [row.ids for row in alone] == [row.ids for row in first if row.question_id == 3]
        ids = [[row.ids for row in rows_of(fresh, step)] for step in range(4, 8)]
        assert any(other != [row.ids for row in first] for other in ids)
        seeded = fresh_actions(policy, seed=1)
        assert any(rows_of(seeded, step) != rows_of(fresh, step) for step in range(3, 6))

    def test_comes_from_the_adapted_policy(self, policy: Path) -> None:
        """Another adapter writes other actions, and its greedy samples are its own likeliest tokens."""
        plain = fresh_actions(policy, onpolicy_temperature=0.01)
        moved = fresh_actions(policy, perturbed=2, onpolicy_temperature=0.01)
        assert [row.ids for row in rows_of(plain, 1)] != [row.ids for row in rows_of(moved, 1)]
        for row in rows_of(moved, 1):
            logits = moved._model(input_ids=torch.tensor([row.ids])).logits[0]
            places = range(row.action_start - 1, len(row.ids) - 1)
            likeliest = [int(logits[place].argmax()) for place in places]
            assert likeliest[:-1] == list(row.ids[row.action_start : -1])  # all but the terminator

    def test_what_gives_no_row_is_counted(self, policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Samples without a step are unparsed; answers to questions without gold unjudged."""
        fresh = fresh_actions(policy)
        bare = {
            number: [dataclasses.replace(state, question=dataclasses.replace(state.question, gold=None))]
            for number, (_, state) in fresh._states.items()
        }
        fresh._states = bare
        made = fresh.at(1, NUMBERS, lambda: None)
        assert (made.rows, made.unparsed, made.unjudged) == ([], 0, 3)
        monkeypatch.setattr(onpolicy, "LONGEST_ACTION", 2)
        made = fresh.at(1, NUMBERS, lambda: None)
        assert (made.rows, made.unparsed, made.unjudged) == ([], 3, 0)
        assert made.metrics() == {"onpolicy/unparsed": 1.0, "onpolicy/unjudged": 0.0}

    def test_settings_of_rewards_hold(self, policy: Path) -> None:
        """Faithful answers earn 1 where they repeat the step's result; judged rewards are corrected."""
        fresh = fresh_actions(policy, answer_reward="faithful", judge_fpr=0.1, judge_fnr=0.3)
        judge = onpolicy._judge_of(sum_tree(2).tree.question)
        first, _ = logged_states(sum_tree(2))
        wrong = dataclasses.replace(first, steps=(sums(2)[1],))
        answer = Sampled("Answer: 5", 9, -1.0, "stop", is_answer=True)
        assert fresh._judged(wrong, answer, judge, number=-2).reward == 1.0
        assert fresh._judged(first, answer, judge, number=-2).reward == 0.0  # no step: gold is 4
        steps = [row for step in range(1, 6) for row in rows_of(fresh, step) if row.state_id % 10 == 0]
        assert {(row.reward, round(row.coefficient, 6)) for row in steps} <= {(1.0, 1.5), (0.0, -0.166667)}
        assert steps

    def test_certified_rates_correct_steps_with_progress(self, policy: Path) -> None:
        """By the reference judge's own; a step that makes no progress keeps its 0."""
        rates = [{"judge": "reference", "depth": None, "fpr": 0.1, "fnr": 0.3}]
        fresh = fresh_actions(policy, judge_rates="certificate", certified_rates=rates)
        judge = onpolicy._judge_of(sum_tree(2).tree.question)
        first, _ = logged_states(sum_tree(2))
        for text, progress in ((sums(2)[0], True), (sums(2)[1], True), ("Step 1: Let us think.", False)):
            sample = Sampled(text, 9, -1.0, "stop", is_answer=False)
            action = fresh._judged(first, sample, judge, number=-2)
            assert action.judge_progress is progress
        steps = [row for step in range(1, 6) for row in rows_of(fresh, step) if row.state_id % 10 == 0]
        found = {(row.reward, round(row.coefficient, 6)) for row in steps}
        assert found <= {(1.0, 1.5), (0.0, -0.166667), (0.0, 0.0)}
        assert (1.0, 1.5) in found


class TestRun:
    def test_learns_to_write_what_is_rewarded(self, tmp_path: Path, policy: Path) -> None:
        """The mean reward of fresh actions rises above the half that the untrained policy earns."""
        options: dict[str, Any] = {"epochs": 40, "schedule": "constant", "lora_r": 8, "probe_every": 0}
        options |= {"beta": 0.0, "kl_limit": 0, "onpolicy_temperature": 0.7}
        means = {}
        for rate in (1e-9, 1e-3):
            folder = make_run(tmp_path / f"run{rate}", policy, learning_rate=rate, **options)
            assert train(folder)["steps"] == 40
            rewards = list(metric(folder, "reward").values())
            means[rate] = sum(rewards[20:]) / 20
            assert set(metric(folder, "onpolicy/unjudged").values()) == {0.0}
            assert metric(folder, "frac_reward_zero_std") == {}
        assert means[1e-9] < 0.65
        assert means[1e-3] > means[1e-9] + 0.15

    @pytest.mark.parametrize("extra", [{}, {"engine": "rows"}, {"gradient_checkpointing": True}], ids=str)
    def test_resumed_equals_undisturbed(
        self, tmp_path: Path, policy: Path, monkeypatch: pytest.MonkeyPatch, extra: dict[str, Any]
    ) -> None:
        """Cancelled amid the sampling of a step, then resumed: every metric and weight is bit-identical."""
        extra = {"epochs": 6, "lora_dropout": 0.1} | extra
        straight = make_run(tmp_path / "straight", policy, **extra)
        train(straight)
        stopped = make_run(tmp_path / "stopped", policy, **extra)
        real = FreshActions.at

        def at(self: FreshActions, step: int, *rest: Any) -> Any:
            if step == 4:
                raise CancelledError("cancelled")
            return real(self, step, *rest)

        with monkeypatch.context() as patch, RunContext(stopped) as context:
            patch.setattr(FreshActions, "at", at)
            with pytest.raises(CancelledError):
                work.run(context)
        train(stopped, attempt=2)
        assert curves(stopped) == curves(straight)
        assert same_weights(stopped.adapter, straight.adapter)
