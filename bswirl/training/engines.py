"""The two ways to compute a step: whole trees, and the plain rows that are their reference."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from bswirl.errors import BswirlError
from bswirl.training import rowwise
from bswirl.training.adapter import without_dropout
from bswirl.training.flex_check import flex_fault
from bswirl.training.head import HeadValues, head_loss, head_values
from bswirl.training.packing import Pack, pack
from bswirl.training.rows import TrainingRow
from bswirl.training.settings import TrainSettings
from bswirl.training.step import StepValues, coefficients, needs_base, row_weights, tapers
from bswirl.training.tree_attention import Kernel, supports_trees
from bswirl.training.treewise import TreeModel, trees_of

_HEAD_TOLERANCE = 0.03  # relative, as bfloat16 logits round

Check = Callable[[], None]
T = TypeVar("T")


class Engine(Protocol):
    """Computes a step's loss and gradient, and log-probs, in forward passes of about `budget` tokens."""

    budget: int

    def accumulate(self, rows: Sequence[TrainingRow], check: Check) -> StepValues:
        """Add the gradient of −E[c·log π_θ] + β·E[KL(π_θ‖π_base)] to the adapter.

        E is the sum over the samples of all `rows` divided by their number, however the rows fall into
        forward passes. `check` runs between these and may raise. Stops at a loss that is not finite, which
        then shows in the values.
        """
        ...

    def logprobs(self, rows: Sequence[TrainingRow], *, base: bool = False) -> list[float]:
        """Sum of log π over each row's action tokens, in nats; with `base`, adapters off."""
        ...

    def longest_pass(self, rows: Sequence[TrainingRow]) -> int:
        """Tokens of the longest forward pass that these rows take at the present budget."""
        ...

    def shrink(self, budget: int) -> None:
        """Takes a smaller budget, and gives back what memory it can."""
        ...


class RowEngine:
    """Each action by itself: the slow and simple reference."""

    def __init__(self, model: Any, settings: TrainSettings) -> None:
        self.model = model
        self.settings = settings
        self.budget = settings.pack_tokens

    def accumulate(self, rows: Sequence[TrainingRow], check: Check) -> StepValues:
        settings = self.settings
        samples = sum(row.samples for row in rows)
        place = {id(row): index for index, row in enumerate(rows)}
        dtype = torch.float64 if self.model.dtype == torch.float64 else torch.float32
        total = StepValues.empty(rows, base=needs_base(settings), dtype=dtype)
        total.tokens = total.row_tokens
        for batch in rowwise.microbatches(rows, self.budget):
            check()
            values = rowwise.row_values(
                self.model, batch, base=needs_base(settings), kl_gradient=settings.beta > 0
            )
            policy_loss, kl_loss = rowwise_loss(values, batch, settings, samples)
            index = torch.tensor([place[id(row)] for row in batch])
            total.logprob[index] = values.logprob.detach().cpu()
            total.entropy[index] = values.entropy.cpu()
            if total.kl is not None and values.kl is not None:
                total.kl[index] = values.kl.detach().cpu()
            if total.base_logprob is not None and values.base_logprob is not None:
                total.base_logprob[index] = values.base_logprob.cpu()
            total.policy_loss += policy_loss.item()
            total.kl_loss += kl_loss.item()
            if not total.is_finite:
                return total
            loss = policy_loss + settings.beta * kl_loss if settings.beta > 0 else policy_loss
            torch.autograd.backward(loss)
        return total

    def logprobs(self, rows: Sequence[TrainingRow], *, base: bool = False) -> list[float]:
        return rowwise.row_logprobs(self.model, rows, self.budget, base=base)

    def longest_pass(self, rows: Sequence[TrainingRow]) -> int:
        return max(
            len(batch) * max(len(row.ids) for row in batch)
            for batch in rowwise.microbatches(rows, self.budget)
        )

    def shrink(self, budget: int) -> None:
        self.budget = budget


def rowwise_loss(
    values: rowwise.RowValues, rows: Sequence[TrainingRow], settings: TrainSettings, samples: int
) -> tuple[Tensor, Tensor]:
    """Policy loss −Σ w·c·log π and KL term Σ w·KL of some rows of a step with `samples` samples."""
    weights = values.logprob.new_tensor(row_weights(rows, settings, samples))
    start = None if values.base_logprob is None else values.base_logprob.tolist()
    chosen = coefficients(rows, settings, values.logprob.tolist(), start)
    policy = -(weights * values.logprob.new_tensor(chosen) * values.logprob).sum()
    kl = (weights * values.kl).sum() if values.kl is not None else torch.zeros_like(policy)
    return policy, kl


class TreeEngine:
    """Every distinct token of a question once (docs/method.md §4)."""

    def __init__(self, model: Any, settings: TrainSettings, *, kernel: Kernel | None = None) -> None:
        fresh = settings.objective == "swirl-onpolicy"  # its trees never come again
        cached = 0.0 if fresh else settings.base_cache_gb * 2**30
        self.model = TreeModel(model, kernel=kernel, cache_bytes=cached)
        self.settings = settings
        self.budget = settings.pack_tokens

    def accumulate(self, rows: Sequence[TrainingRow], check: Check) -> StepValues:
        trees = trees_of(rows)
        ordered = [row for tree in trees for row in tree.rows]
        packs = pack(trees, self.budget)
        total = StepValues.empty(ordered, base=needs_base(self.settings), dtype=self.model.head.dtype)
        total.tokens = sum(len(tree) for tree in trees)
        samples = total.samples
        with self.model.active():
            with without_dropout(self.model.model):
                ahead = self._logprobs_ahead(packs, ordered, check)
            for part in packs:
                check()
                loss = self._loss(part, total, samples, ahead)
                if not total.is_finite:
                    return total
                torch.autograd.backward(loss)
        return total

    def _loss(self, part: Pack, total: StepValues, samples: int, ahead: list[float] | None) -> Tensor:
        """The loss of one pack, with its gradient still to be run; adds the pack's values to `total`."""
        settings, device = self.settings, self.model.device
        base = self.model.base_hidden(part) if total.kl is not None else None
        hidden = self.model.hidden(part)
        places = _Places(part, device)
        weight = torch.tensor(row_weights(total.rows, settings, samples), dtype=self.model.head.dtype)
        if tapers(total.rows, settings):
            now, start = self._ratio_terms(hidden, base, places, len(total.rows), ahead)
            chosen = coefficients(total.rows, settings, now, start)
        else:
            chosen = coefficients(total.rows, settings)
        by_row = (weight * torch.tensor(chosen, dtype=weight.dtype)).to(device)
        coefficient = places.over_targets(by_row)
        kl_weight = places.over_sites(weight.to(device)) if base is not None else None
        scaled = settings.beta * kl_weight if kl_weight is not None and settings.beta > 0 else None
        loss, values = head_loss(
            self.model.head, hidden, base, places.targets, places.site, coefficient, scaled
        )
        _add_values(total, values, places)
        total.policy_loss -= float((coefficient * values.logprob).sum())
        if kl_weight is not None and values.kl is not None:
            total.kl_loss += float((kl_weight * values.kl).sum())
        return loss

    def _ratio_terms(
        self, hidden: Tensor, base: Tensor | None, places: _Places, rows: int, ahead: list[float] | None
    ) -> tuple[list[float], list[float]]:
        """log π_θ and log π_start of the step's rows that the taper needs in this pack; 0 elsewhere."""
        if ahead is not None:
            return ahead[:rows], ahead[rows:]
        values = head_values(self.model.head, hidden, base, places.targets, places.site)
        if values.base_logprob is None:
            raise ValueError("the taper needs the base policy's log-probs")
        return (
            places.over_rows(values.logprob, rows).tolist(),
            places.over_rows(values.base_logprob, rows).tolist(),
        )

    @torch.no_grad()
    def _logprobs_ahead(
        self, packs: Sequence[Pack], rows: Sequence[TrainingRow], check: Check
    ) -> list[float] | None:
        """Where a tapered action lies in several packs: log π_θ of all rows, then log π_start of all rows."""
        if not tapers(rows, self.settings):
            return None
        if sum(len(set(part.row.tolist())) for part in packs) == len(rows):
            return None  # no row is in two packs
        now, start = (torch.zeros(len(rows), dtype=self.model.head.dtype) for _ in range(2))
        for part in packs:
            check()
            places = _Places(part, self.model.device)
            values = head_values(
                self.model.head,
                self.model.hidden(part),
                self.model.base_hidden(part),
                places.targets,
                places.site,
            )
            now += places.over_rows(values.logprob, len(rows)).cpu()
            if values.base_logprob is not None:
                start += places.over_rows(values.base_logprob, len(rows)).cpu()
        return [*now.tolist(), *start.tolist()]

    @torch.no_grad()
    def logprobs(self, rows: Sequence[TrainingRow], *, base: bool = False) -> list[float]:
        trees = trees_of(rows)
        ordered = [row for tree in trees for row in tree.rows]
        found = torch.zeros(len(ordered), dtype=self.model.head.dtype)
        with self.model.active():
            for part in pack(trees, self.budget):
                hidden = self.model.base_pass(part) if base else self.model.hidden(part)
                places = _Places(part, self.model.device)
                values = head_values(self.model.head, hidden, None, places.targets, places.site)
                found += places.over_rows(values.logprob, len(ordered)).cpu()
        place = {id(row): index for index, row in enumerate(ordered)}
        values_of = found.tolist()
        return [values_of[place[id(row)]] for row in rows]

    def longest_pass(self, rows: Sequence[TrainingRow]) -> int:
        return max(len(part) for part in pack(trees_of(rows), self.budget))

    def shrink(self, budget: int) -> None:
        self.budget = budget
        self.model.head.release()
        self.model.cache.clear()  # its pieces were cut for the old budget


class _Places:
    """A pack's index arrays on the device."""

    def __init__(self, part: Pack, device: torch.device) -> None:
        arrays = (part.targets, part.site, part.row, part.member)
        self.targets, self.site, self.row, self.member = (torch.from_numpy(a).to(device) for a in arrays)
        self.sites = len(part.predictors)

    def over_targets(self, by_row: Tensor) -> Tensor:
        """The sum, at each target, of a value of the rows whose action it is part of."""
        return by_row.new_zeros(len(self.targets)).index_add(0, self.member, by_row[self.row])

    def over_sites(self, by_row: Tensor) -> Tensor:
        """The same at each predicting site."""
        return by_row.new_zeros(self.sites).index_add(0, self.site[self.member], by_row[self.row])

    def over_rows(self, by_target: Tensor, rows: int) -> Tensor:
        """The sum over each row's action tokens of a value a target."""
        return by_target.new_zeros(rows).index_add(0, self.row, by_target[self.member])


def _add_values(total: StepValues, values: HeadValues, places: _Places) -> None:
    rows = len(total.rows)
    total.logprob += places.over_rows(values.logprob, rows).cpu()
    total.entropy += places.over_rows(values.entropy[places.site], rows).cpu()
    if total.base_logprob is not None and values.base_logprob is not None:
        total.base_logprob += places.over_rows(values.base_logprob, rows).cpu()
    if total.kl is not None and values.kl is not None:
        total.kl += places.over_rows(values.kl[places.site], rows).cpu()


def make_engine(model: Any, settings: TrainSettings, warn: Callable[[str], None]) -> Engine:
    """The engine that the settings ask for; rows, with a warning, where the model cannot do trees."""
    check_head(model)
    if settings.engine == "trees":
        if supports_trees(model.get_base_model()):
            return TreeEngine(model, settings, kernel=choose_kernel(model, warn))
        warn("this kind of model has layers that cannot follow a tree: training row by row, which is slower")
    return RowEngine(model, settings)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether a GPU's memory ran out; cuBLAS says so in words of its own."""
    return isinstance(error, torch.OutOfMemoryError) or "CUBLAS_STATUS_ALLOC_FAILED" in str(error)


@torch.no_grad()
def check_head(model: Any) -> None:
    """Raises BswirlError where our reading of the model's output head is not the model's own.

    Some architectures scale their logits in ways that no config names alike.
    """
    causal = model.get_base_model()
    ids = torch.tensor([[3, 5, 4]], device=model.device)
    own = causal(input_ids=ids, use_cache=False).logits[0].float()
    body = getattr(causal, causal.base_model_prefix)
    ours = rowwise.head_logits(causal, body(input_ids=ids, use_cache=False).last_hidden_state[0]).float()
    if own.isfinite().all() and not (own - ours).norm() <= _HEAD_TOLERANCE * own.norm():
        raise BswirlError(
            f"{type(causal).__name__} computes its logits in a way that training does not know",
            "choose a model of another architecture",
        )


def choose_kernel(model: Any, warn: Callable[[str], None]) -> Kernel:
    """FlexAttention on a GPU where it does what it should; else blocks."""
    config = model.config.get_text_config()
    if model.device.type != "cuda" or getattr(config, "attn_logit_softcapping", None):
        return "blocks"  # a cap on the scores does not compile with FlexAttention
    heads = config.num_attention_heads
    key_heads = getattr(config, "num_key_value_heads", None) or heads
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    window = getattr(config, "sliding_window", None)
    fault = flex_fault(model.device, model.dtype, heads, key_heads, width, window)
    if fault is not None:
        warn(f"FlexAttention does not work here ({fault}): training with plain attention, which is slower")
        return "blocks"
    return "flex"


def within_memory(
    engine: Engine,
    rows: Sequence[TrainingRow],
    attempt: Callable[[], T],
    warn: Callable[[str], None],
) -> T:
    """`attempt()`, which passes `rows` through the engine; where a GPU's memory runs out, again with half
    the budget.

    Raises BswirlError where smaller passes do not exist.
    """
    while True:
        longest = engine.longest_pass(rows)
        try:
            return attempt()
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        # Outside the handler the failed pass's tensors are free.
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        engine.shrink(max(1, min(engine.budget, longest) // 2))
        if engine.longest_pass(rows) >= longest:
            raise BswirlError(
                f"no GPU memory left for a pass of {longest} tokens, which cannot be made smaller",
                "use load_in_4bit, gradient_checkpointing, a smaller lora_r or another device",
            )
        warn(f"no GPU memory left: going on with packs of {engine.budget} tokens")
