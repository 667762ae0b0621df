"""The tokens of what a model samples, from its draws to a client of the owner."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from bswirl.client import connect
from bswirl.generation import work
from bswirl.policies.catalogue import PolicySpec
from bswirl.policies.rendering import encode_row, encode_state
from bswirl.project import Project
from bswirl.records import NewQuestion, to_json
from bswirl.runs.context import RunContext
from bswirl.runs.folder import RunFolder
from bswirl.tokens import StepTokens
from tests.owner.kit import wait_for
from tests.tiny import tiny_model, tiny_tokenizer

QUESTION = "Was ist 漢?"
STEPS = ["Step 1: 🙂 é → 漢字.", "Answer: 5"]


def save_model_that_writes(folder: Path) -> None:
    """A tiny byte-level model that has learnt one solution by heart, and slips now and then."""
    tokenizer, model = tiny_tokenizer(), tiny_model().train()
    row = encode_row(tokenizer, QUESTION, STEPS[:1], STEPS[1], is_answer=True).ids
    start = len(encode_state(tokenizer, QUESTION, ()))
    ids = torch.tensor([row])
    labels = ids.clone()
    labels[0, :start] = -100
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(120):
        model(input_ids=ids, labels=labels).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def test_from_the_draw_to_the_client(tmp_path: Path) -> None:
    """Every sample's tokens spell its step byte for byte, and a forward pass gives their log-probs."""
    model_folder = tmp_path / "model"
    save_model_that_writes(model_folder)
    project = Project.create(tmp_path / "p")
    with connect(project, auditor="kim") as client:
        client.import_questions([NewQuestion("own", "train", "q1", QUESTION, "5")])
        folder = RunFolder.create(
            tmp_path / "run",
            kind="generate",
            name="tiny",
            run_uid="5d3a0b6e-0000-4000-8000-000000000001",
            rows=[to_json(client.tree("own:q1").question)],
            settings={"policy": "tiny", "branches": 3, "trajectories": 4, "device": "cpu"},
            policies={"tiny": PolicySpec("tiny", str(model_folder)).to_json()},
            created_by="kim",
        )
        with RunContext(folder) as context:
            work.run(context)
        rows = [json.loads(line) for line in folder.journal_file.read_text().splitlines()]
        journal = [
            (*(sample[name] for name in ("text", "logprob", "n_tokens")), unpacked(sample["tokens"]))
            for row in rows
            for sample in row.get("steps", []) + row.get("samples", [])
        ]
        run = client.attach_run(folder.path)
        wait_for(lambda: client.run(run.run_id).status in ("done", "lost", "failed"))
        tree = client.tree("own:q1")
        prefixes = tree.prefixes()
        model = AutoModelForCausalLM.from_pretrained(model_folder, dtype=torch.bfloat16)
        seen, checked = [], 0
        for action in tree.actions:
            for found in client.action_tokens(action.action_id):
                tokens, sample = found.tokens, found.sample
                assert tokens is not None
                seen.append((action.text, sample.logprob, sample.n_tokens, tokens))
                pieces = tokens.pieces(action.text)
                assert b"".join(pieces) == (tokens.before + action.text + tokens.after).encode()
                assert len(pieces) == sample.n_tokens
                assert sum(tokens.logprobs) == pytest.approx(sample.logprob, abs=1e-6 * (1 + len(pieces)))
                if "\ufffd" not in "".join(prefixes[action.state_id]) + action.text and not tokens.before:
                    check_logprobs(model, prefixes[action.state_id], action.text, tokens)
                    checked += 1
        client.stop_owner()
    assert checked > 5
    assert sorted(seen, key=repr) == sorted(journal, key=repr)
    assert STEPS[0] in {text for text, *_ in seen}
    broken = [tokens for text, _, _, tokens in seen if text == STEPS[0] and len(text) < len(tokens.sizes)]
    assert broken, "a byte is a token here: the character of several is shared"
    assert all(set(tokens.sizes[:30]) == {1} for tokens in broken)


def unpacked(text: str) -> StepTokens:
    return StepTokens.unpack(b64decode(text))


def check_logprobs(model: torch.nn.Module, prefix: tuple[str, ...], step: str, tokens: StepTokens) -> None:
    """The tokens' log-probs are the model's own behind the state."""
    tokenizer = tiny_tokenizer()
    state = encode_state(tokenizer, QUESTION, prefix)
    written = tokenizer(step, add_special_tokens=False).input_ids
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([[*state, *written]])).logits[0].float().log_softmax(-1)
    own = [logits[len(state) - 1 + place, token].item() for place, token in enumerate(written)]
    assert list(tokens.logprobs[: len(own)]) == pytest.approx(own, abs=0.15)  # bfloat16, read at once
