"""Reading models with transformers: safetensors or GGUF, never pickles, never a model's own code."""

from __future__ import annotations

import errno
import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from functools import partial, wraps
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from bswirl.errors import BswirlError, InputError
from bswirl.policies.catalogue import missing_extra

_HUB_FILES = ["*.json", "*.safetensors", "*.model", "*.jinja", "merges.txt", "vocab.txt"]
_LIBRARIES = ("safetensors", "safetensors_rust", "huggingface_hub", "gguf", "tokenizers")
_SPARED = ("lm_head", "embed_out")  # output heads stay in full precision


def load_tokenizer(source: str | Path) -> Any:
    """The tokenizer of a model folder, a .gguf file or a hub id."""
    from transformers import AutoTokenizer

    path = Path(source)
    with reading(source):
        if path.suffix == ".gguf":
            return AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
        gguf = _only_gguf(path)
        if gguf is not None:
            return AutoTokenizer.from_pretrained(path, gguf_file=gguf.name)
        # Mistral's models would else get the tokenizer of mistral-common where that is, which has no offsets.
        return AutoTokenizer.from_pretrained(source, trust_remote_code=False, mistral_format=False)


def load_dense(source: str | Path, dtype: torch.dtype) -> Any:
    """A causal language model on the CPU, its weights as plain tensors of `dtype`."""
    from transformers import AutoModelForCausalLM

    gguf = _only_gguf(Path(source))
    if gguf is not None:
        return load_gguf(gguf, dtype)
    with reading(source):
        return AutoModelForCausalLM.from_pretrained(
            source, dtype=dtype, use_safetensors=True, trust_remote_code=False
        )


def load_gguf(path: Path, dtype: torch.dtype = torch.bfloat16) -> Any:
    """The model of a GGUF file with its blocks unpacked, so that it can be saved, trained and merged."""
    from transformers import AutoModelForCausalLM

    # The progress bar of this reader listens to no setting: it is written to a sink.
    with reading(path), redirect_stderr(io.StringIO()):
        model = AutoModelForCausalLM.from_pretrained(
            path.parent, gguf_file=path.name, dtype=dtype, **_unpacked()
        ).to(dtype)
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.hf_quantizer = None
    model.is_quantized = False
    return model


def load_nf4(source: str | Path, device: torch.device, dtype: torch.dtype) -> Any:
    """A model in NF4 with double quantisation, quantised as its shards are read."""
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
    with reading(source):
        return AutoModelForCausalLM.from_pretrained(
            source,
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=False,
            quantization_config=config,
            device_map={"": device},
        )


def fetch_from_hub(name: str, log: Callable[[str], None] | None = None) -> Path:
    """The folder of a hub model, from the local cache or the hub; its weights as safetensors only."""
    from huggingface_hub import snapshot_download

    if log is not None:
        log(f"looking for {name} in the local cache and on the hub")
    with reading(name):
        return Path(snapshot_download(name, allow_patterns=_HUB_FILES))


def merge_adapter(model: Any, folder: str) -> Any:
    """`model` with the PEFT adapter in `folder` added into its weights, in the weights' own dtype."""
    with reading(folder):
        peft = import_peft()
        return peft.PeftModel.from_pretrained(model, folder).merge_and_unload(progressbar=False)


def quantise_nf4(model: Any, dtype: torch.dtype) -> Any:
    """Puts the linear layers of a dense model, but its output head, into NF4 with double quantisation.

    Works in place; the weights are quantised when the model moves to its device.
    """
    bitsandbytes = import_bitsandbytes()
    for name, layer in list(model.named_modules()):
        if type(layer) is not torch.nn.Linear or name.rpartition(".")[2] in _SPARED:
            continue
        packed = bitsandbytes.nn.Linear4bit(
            layer.in_features,
            layer.out_features,
            bias=layer.bias is not None,
            compute_dtype=dtype,
            compress_statistics=True,
            quant_type="nf4",
            device="meta",
        )
        packed.weight = bitsandbytes.nn.Params4bit(
            layer.weight.data.to(dtype),
            requires_grad=False,
            compress_statistics=True,
            quant_type="nf4",
            module=packed,
        )
        packed.bias = layer.bias
        model.set_submodule(name, packed)
    model.is_loaded_in_4bit = True
    return model


def keep_gradients(model: Any) -> None:
    """Keeps 4-bit layers on the CPU from repacking their weights for inference, which has no backward."""
    for layer in model.modules():
        if hasattr(layer, "support_avx512bf16_for_cpu"):
            layer.support_avx512bf16_for_cpu = False


def import_bitsandbytes() -> Any:
    """bitsandbytes, or a BswirlError that says how to get it."""
    try:
        with _compiled_when_called():
            import bitsandbytes
    except ModuleNotFoundError as error:
        raise missing_extra(error) from error
    return bitsandbytes


def import_peft() -> Any:
    """PEFT, with bitsandbytes, which it imports where that is installed. Raises ModuleNotFoundError."""
    if find_spec("bitsandbytes") is not None:
        import_bitsandbytes()
    import peft

    return peft


@contextmanager
def _compiled_when_called() -> Iterator[None]:
    """What is imported has its functions compiled when they are first called.

    bitsandbytes compiles its plain versions on import, for which torch's compilers are imported: more than a
    second of every start, also where nothing is in 4 bits.
    """

    def later(function: Any = None, **options: Any) -> Any:
        if function is None:
            return partial(later, **options)
        compiled: list[Any] = []

        @wraps(function)
        def call(*given: Any, **named: Any) -> Any:
            if not compiled:
                compiled.append(at_once(function, **options))
            return compiled[0](*given, **named)

        return call

    at_once = torch.compile
    torch.compile = later  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.compile = at_once


@contextmanager
def reading(source: str | Path) -> Iterator[None]:
    """Quiet loading; what goes wrong with the files of `source` becomes one clear line."""
    try:
        with quiet():
            yield
    except ModuleNotFoundError as error:
        raise missing_extra(error) from error
    except torch.cuda.OutOfMemoryError as error:
        raise _memory_error(source) from error
    except (OSError, ValueError, KeyError, RuntimeError, AttributeError, TypeError) as error:
        raise _reading_error(source, error) from error
    except Exception as error:
        # The Rust libraries raise bare exceptions and ones of their own.
        if type(error) is Exception or type(error).__module__.partition(".")[0] in _LIBRARIES:
            raise _reading_error(source, error) from error
        raise


@contextmanager
def on_device(name: str) -> Iterator[None]:
    """Moving a model to its device; no room there becomes one clear line."""
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        raise _memory_error(name) from error


def _memory_error(source: str | Path) -> BswirlError:
    return BswirlError(
        f"no GPU memory left while loading {source}",
        "use --load-in-4bit, a smaller model or another --device",
    )


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars and no advice from the libraries; errors still come as exceptions."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logging.set_verbosity(verbosity)
            if bars:
                logging.enable_progress_bar()


def _reading_error(source: str | Path, error: Exception) -> BswirlError:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return BswirlError(
            f"no space left on the device while reading {source}", "free some space and try again"
        )
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if Path(source).exists():
        return InputError(f"{source} cannot be loaded: {reason}", "check the files, or save the model again")
    return InputError(
        f"model {source} is neither in the local cache nor to be had from the hub: {reason}",
        "check the name and the connection, or give a local model folder",
    )


def _unpacked() -> dict[str, Any]:
    """The option that has newer transformers unpack GGUF blocks; older ones always do."""
    try:
        from transformers import GgufConfig
    except ImportError:
        return {}
    return {"quantization_config": GgufConfig(dequantize=True)}


def has_gguf(source: Path) -> bool:
    """Whether the model of a folder or file comes as a GGUF."""
    return _only_gguf(source) is not None


def _only_gguf(folder: Path) -> Path | None:
    """The GGUF file to read in a folder without safetensors, or `folder` itself where it is such a file."""
    if folder.suffix == ".gguf" and folder.is_file():
        return folder
    if not folder.is_dir() or any(folder.glob("*.safetensors")):
        return None
    files = sorted(folder.glob("*.gguf"))
    if len(files) > 1:
        raise InputError(f"{folder} holds {len(files)} GGUF files", f"name one, as in {files[0]}")
    return files[0] if files else None
