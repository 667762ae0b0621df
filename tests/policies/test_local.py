from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from bswirl.errors import InputError, UsageError
from bswirl.policies.base import Sampled, SampleRequest
from bswirl.policies.catalogue import PolicySpec, open_policy
from bswirl.policies.few_shot import TWO_SHOT
from bswirl.policies.local import LocalPolicy, load_model
from bswirl.policies.rendering import encode_state
from bswirl.steps import parse_solution
from tests.policies.small import solution

QUESTION, STEPS = solution((3, 4, 5))


def logits_of(model: Any, length: int = 12) -> torch.Tensor:
    with torch.no_grad():
        logits: torch.Tensor = model(input_ids=torch.arange(3, 3 + length)[None]).logits.float()
    return logits


def save_adapter(model_folder: Path, folder: Path, seed: int) -> Path:
    """A LoRA adapter with random weights for the model in `model_folder`."""
    torch.manual_seed(seed)
    base = AutoModelForCausalLM.from_pretrained(model_folder)
    config = LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "down_proj"])
    adapted = get_peft_model(base, config)
    for name, weight in adapted.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weight, std=0.05)
    adapted.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def adapters(taught_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("adapters")
    return (
        str(save_adapter(taught_folder, folder / "one", 1)),
        str(save_adapter(taught_folder, folder / "two", 2)),
    )


@pytest.fixture(scope="module")
def policy(taught_folder: Path) -> LocalPolicy:
    spec = PolicySpec("taught", str(taught_folder))
    return LocalPolicy(spec, load_model(spec, device="cpu", dtype=torch.float32), batch_size=8)


class TestLoading:
    def test_a_folder_loads_in_bfloat16(self, taught_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        """On the device that was asked for, ready for sampling, and without a word on the terminal."""
        loaded = load_model(PolicySpec("p", str(taught_folder)), device="cpu")
        assert {weight.dtype for weight in loaded.model.parameters()} == {torch.bfloat16}
        assert loaded.device == torch.device("cpu")
        assert not loaded.model.training
        assert capfd.readouterr() == ("", "")

    def test_merging_an_adapter_says_nothing_either(
        self, taught_folder: Path, adapters: tuple[str, str]
    ) -> None:
        """In a process of its own, as a worker does it: what it pulls in keeps quiet too."""
        code = (
            "import sys; from bswirl.policies.catalogue import PolicySpec, open_policy; "
            "open_policy(PolicySpec('p', sys.argv[1], (sys.argv[2],)), device='cpu')"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(taught_folder), adapters[0]],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[2],
        )
        assert (done.stdout, done.stderr) == ("", "")

    def test_adapters_are_merged_in_float32_in_their_order(
        self, taught_folder: Path, adapters: tuple[str, str]
    ) -> None:
        """The merged weights are what PEFT computes in float32, rounded once."""
        loaded = load_model(PolicySpec("p", str(taught_folder), adapters), device="cpu")
        expected = AutoModelForCausalLM.from_pretrained(taught_folder)
        for adapter in adapters:
            expected = PeftModel.from_pretrained(expected, adapter).merge_and_unload()
        merged = dict(expected.named_parameters())
        for name, weight in loaded.model.named_parameters():
            assert torch.equal(weight, merged[name].to(torch.bfloat16)), name
        plain = load_model(PolicySpec("p", str(taught_folder)), device="cpu")
        assert not torch.allclose(logits_of(plain.model), logits_of(loaded.model), atol=1e-2)

    @pytest.mark.parametrize("merged", [False, True])
    def test_four_bit_weights_are_double_quantised_nf4(
        self, taught_folder: Path, adapters: tuple[str, str], merged: bool
    ) -> None:
        """Every linear layer but the head; with adapters the quantised weights are the merged ones."""
        spec = PolicySpec("p", str(taught_folder), adapters if merged else ())
        loaded = load_model(spec, device="cpu", load_in_4bit=True)
        packed = {
            name: layer
            for name, layer in loaded.model.named_modules()
            if type(layer).__name__ == "Linear4bit"
        }
        assert len(packed) == 2 * 7
        for layer in packed.values():
            assert layer.weight.quant_state.quant_type == "nf4"
            assert layer.weight.quant_state.nested
            assert layer.compute_dtype == torch.bfloat16
        assert loaded.model.is_loaded_in_4bit
        assert loaded.model.lm_head.weight.dtype == torch.bfloat16
        dense = load_model(spec, device="cpu")
        difference = (logits_of(dense.model) - logits_of(loaded.model)).abs().mean()
        assert 0 < difference < 0.5 * logits_of(dense.model).std()

    @pytest.mark.parametrize("merged", [False, True])
    def test_four_bit_models_still_train_after_they_were_sampled(
        self, taught_folder: Path, adapters: tuple[str, str], merged: bool
    ) -> None:
        """Gradients reach a new adapter, also behind a pass without gradients."""
        spec = PolicySpec("p", str(taught_folder), adapters if merged else ())
        loaded = load_model(spec, device="cpu", load_in_4bit=True)
        logits_of(loaded.model)
        model = get_peft_model(loaded.model, LoraConfig(r=2, target_modules=["q_proj", "down_proj"]))
        logits_of(model)
        model(input_ids=torch.arange(3, 12)[None]).logits.float().logsumexp(-1).sum().backward()
        gradients = [weight.grad for name, weight in model.named_parameters() if "lora_B" in name]
        assert len(gradients) == 4
        assert all(gradient is not None and gradient.abs().sum() > 0 for gradient in gradients)

    def test_weights_in_pickles_are_not_read(self, taught_folder: Path, tmp_path: Path) -> None:
        """A folder with nothing but a .bin has no weights."""
        shutil.copytree(taught_folder, tmp_path / "m")
        (tmp_path / "m" / "model.safetensors").rename(tmp_path / "m" / "pytorch_model.bin")
        with pytest.raises(InputError, match=r"has no weights \(safetensors or GGUF\)"):
            load_model(PolicySpec("p", str(tmp_path / "m")), device="cpu")

    @pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
    @pytest.mark.parametrize("content", [b"", b"\x00\x01garbage", b'{"a": 1}'])
    def test_a_broken_file_is_one_clear_line(
        self, taught_folder: Path, tmp_path: Path, name: str, content: bytes
    ) -> None:
        """The folder is named, and no library's traceback comes out."""
        shutil.copytree(taught_folder, tmp_path / "m")
        (tmp_path / "m" / name).write_bytes(content)
        with pytest.raises(InputError) as raised:
            load_model(PolicySpec("p", str(tmp_path / "m")), device="cpu")
        assert str(tmp_path / "m") in raised.value.message
        assert "\n" not in str(raised.value)
        assert raised.value.remedy

    def test_a_broken_adapter_is_one_clear_line(
        self, taught_folder: Path, adapters: tuple[str, str], tmp_path: Path
    ) -> None:
        """As for models."""
        shutil.copytree(adapters[0], tmp_path / "a")
        (tmp_path / "a" / "adapter_model.safetensors").write_bytes(b"no")
        with pytest.raises(InputError, match="cannot be loaded"):
            load_model(PolicySpec("p", str(taught_folder), (str(tmp_path / "a"),)), device="cpu")

    def test_a_missing_adapter_is_found_before_the_model_is_read(self, taught_folder: Path) -> None:
        """The line names what is missing."""
        with pytest.raises(InputError, match=r"has no adapter_config\.json"):
            load_model(PolicySpec("p", str(taught_folder), ("/nowhere",)), device="cpu")

    def test_a_hub_model_that_cannot_be_had_is_one_clear_line(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Neither cached nor reachable: no minutes of retries, one line."""
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        with pytest.raises(InputError, match="neither in the local cache nor to be had from the hub"):
            load_model(PolicySpec("p", "bswirl-tests/no-such-model"), device="cpu")

    @pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
    def test_cuda_without_cuda_is_refused(self, taught_folder: Path) -> None:
        """Before anything is read."""
        with pytest.raises(UsageError, match="no usable CUDA device"):
            load_model(PolicySpec("p", str(taught_folder)), device="cuda")


class TestSampling:
    def test_a_step_is_one_step_without_its_terminator(self, policy: LocalPolicy) -> None:
        """Whatever the model writes, each sample is one step, or is marked as none."""
        requests = [SampleRequest(QUESTION, tuple(STEPS[:done]), n=20, key=done) for done in range(3)]
        found = policy.sample(requests, temperature=1.3, max_tokens=40, seed=0)
        read = [sample for samples in found for sample in samples if sample.is_answer is not None]
        assert len(read) > 40
        for sample in read:
            parsed = parse_solution(sample.text)
            assert [step.text for step in parsed.steps] == [sample.text]
            assert parsed.steps[0].is_answer == sample.is_answer
            assert sample.n_tokens > 0
            assert sample.logprob < 0
        assert any(sample.is_answer for sample in found[2])

    def test_a_steps_logprob_is_that_of_its_tokens_with_the_terminator(self, policy: LocalPolicy) -> None:
        """For a well-formed greedy step it is log π of the canonical action tokens."""
        state = tuple(STEPS[:1])
        sample = policy.sample(
            [SampleRequest(QUESTION, state)], temperature=1, max_tokens=40, seed=0, greedy=True
        )[0][0]
        tokenizer, model = policy.loaded.tokenizer, policy.loaded.model
        prompt = list(encode_state(tokenizer, QUESTION, state))
        with torch.no_grad():
            ids, total, count = prompt, 0.0, 0
            while "\n" not in tokenizer.decode(ids[len(prompt) :]):
                logprobs = model(input_ids=torch.tensor([ids])).logits[0, -1].log_softmax(-1)
                total, count = total + logprobs.max().item(), count + 1
                ids = [*ids, int(logprobs.argmax())]
        assert tokenizer.decode(ids[len(prompt) :]).split("\n")[0] == sample.text
        assert (sample.n_tokens, sample.logprob) == (count, pytest.approx(total, abs=1e-3))

    def test_a_solution_can_be_cut_into_steps_whose_shares_add_up(self, policy: LocalPolicy) -> None:
        """No token of a well-formed solution is lost or counted twice, the end-of-turn token included."""
        requests = [
            SampleRequest(solution((a, b))[0], stop="solution", key=(a, b))
            for a in range(1, 6)
            for b in range(1, 6)
        ]
        found = [samples[0] for samples in policy.sample(requests, temperature=0.7, max_tokens=80, seed=0)]
        whole = [sample for sample in found if sample.finish == "stop"]
        assert len(whole) > 12
        for sample in whole:
            steps = parse_solution(sample.text).steps
            shares = [sample.share(step.start, step.end) for step in steps]
            assert sum(count for count, _ in shares) == sample.n_tokens
            assert sum(logprob for _, logprob in shares) == pytest.approx(sample.logprob, abs=1e-3)

    def test_a_solution_ends_after_its_answer_line(self, policy: LocalPolicy) -> None:
        """Nothing is sampled behind the line that answers."""
        found = policy.sample(
            [SampleRequest(QUESTION, tuple(STEPS[:2]), n=30, stop="solution", key=0)],
            temperature=1.0,
            max_tokens=60,
            seed=0,
        )[0]
        for sample in found:
            assert parse_solution(sample.text).trailing is None

    def test_a_solution_ends_when_it_has_as_many_steps_as_it_may(self, policy: LocalPolicy) -> None:
        """Its finish then says that it was cut."""
        sample = policy.sample(
            [SampleRequest(solution((1, 2, 3, 4))[0], stop="solution", max_steps=1)],
            temperature=1,
            max_tokens=200,
            seed=0,
            greedy=True,
        )[0][0]
        assert sample.finish == "length"
        assert sample.text.count("\n") == 2

    def test_what_is_no_step_comes_back_whole(self, policy: LocalPolicy) -> None:
        """A sample that ran out of tokens keeps all of its text and is marked."""
        sample = policy.sample([SampleRequest(QUESTION)], temperature=1, max_tokens=3, seed=0)[0][0]
        assert (sample.is_answer, sample.finish, sample.n_tokens) == (None, "length", 3)
        assert sample.text

    def test_equal_keys_draw_equal_samples(self, policy: LocalPolicy) -> None:
        """Whatever is asked for beside them; another seed or key draws others."""

        def draw(seed: int, *requests: SampleRequest) -> list[list[str]]:
            found = policy.sample(requests, temperature=1.0, max_tokens=20, seed=seed)
            return [[sample.text for sample in samples] for samples in found]

        one, two = SampleRequest(QUESTION, n=3, key=(1, 1)), SampleRequest("Add 9 and 9.", n=5, key=(2, 1))
        both = draw(0, two, one)
        assert draw(0, one)[0] == both[1]
        assert draw(1, one)[0] != both[1]
        assert draw(0, SampleRequest(QUESTION, n=3, key=(1, 2)))[0] != both[1]

    def test_the_two_shot_chat_changes_prompt_and_its_hash(self, taught_folder: Path) -> None:
        """Only what is sampled with; the hash says which template it was."""
        plain = open_policy(PolicySpec("p", str(taught_folder)), device="cpu")
        shown = open_policy(PolicySpec("p", str(taught_folder), few_shot=True), device="cpu")
        assert isinstance(shown, LocalPolicy)
        assert shown.preamble == TWO_SHOT
        assert plain.prompt_sha != shown.prompt_sha
        assert len(plain.prompt_sha) == 64


class TestShares:
    def test_tokens_that_overlap_a_step_are_its_own(self) -> None:
        """Tokens: `a`, `b\\n`, `\\n\\nc`, `d`, then the end of turn."""
        sample = Sampled(
            "ab\n\n\ncd", 5, -15.0, "stop", None, (1, 3, 6, 7, 7), (-1.0, -2.0, -3.0, -4.0, -5.0)
        )
        assert sample.share(0, 2) == (2, -3.0)
        assert sample.share(5, 7) == (3, -12.0)

    def test_the_end_of_turn_is_the_last_steps_alone(self) -> None:
        """A step that a newline ends does not get it, even with nothing behind the newline."""
        sample = Sampled("a\n", 3, -6.0, "stop", None, (1, 2, 2), (-1.0, -2.0, -3.0))
        assert sample.share(0, 1) == (2, -3.0)


@pytest.mark.weights
class TestTheEmbeddedModel:
    def test_it_loads_and_follows_the_shown_format(self) -> None:
        """With the two-shot chat in front, greedy solutions are steps and an answer."""
        policy = open_policy(PolicySpec("smollm2", "smollm2", few_shot=True), device="cpu")
        request = SampleRequest("Ann has 3 boxes of 4 pens. She loses 2. How many are left?", stop="solution")
        sample = policy.sample([request], temperature=1, max_tokens=120, seed=0, greedy=True)[0][0]
        assert sample.text.startswith("Step 1: ")
        assert parse_solution(sample.text).answer is not None

    def test_its_tokenizer_pads_and_ends_with_the_end_of_turn(self) -> None:
        """As the GGUF says."""
        loaded = load_model(PolicySpec("smollm2", "smollm2"), device="cpu")
        assert loaded.tokenizer.eos_token == loaded.tokenizer.pad_token == "<|im_end|>"
        assert loaded.model.config.eos_token_id == loaded.tokenizer.eos_token_id == 2
        assert isinstance(
            loaded.tokenizer, type(AutoTokenizer.from_pretrained(loaded.tokenizer.name_or_path))
        )
