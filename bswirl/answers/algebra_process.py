"""The process behind algebra.py: reads questions as lines of JSON, asks math-verify, writes replies.

Nothing of a question is ever evaluated as Python. SymPy makes numbers from strings through `eval`; here that
step is replaced by one that knows numbers and names and refuses everything else.
"""

from __future__ import annotations

import json
import logging
import os
import re
import resource
import sys
import time
from typing import IO, Any

MEMORY = 2 << 30  # bytes of address space
_WARM_UP = (("2\\sqrt{3}", "\\sqrt{12}"), ("(x-1)(x+1)", "x^2-1"), ("[0,1)", "0 \\le x < 1"))
_NUMBER = re.compile(
    r"Integer \((\d{1,1000}) \)(?:/Integer \((\d{1,1000}) \))?|Float \('([\d.eE+-]{1,1000})' \)"
)
_NAME = re.compile(r"Symbol \('([^\W\d]\w{0,40})' \)|(E|I|pi) ?")


def main() -> None:
    """Serves until its input ends. The first line it writes says whether it can."""
    cpu_seconds = int(sys.argv[1])
    with os.fdopen(os.dup(1), "wb", buffering=0) as replies:
        os.dup2(2, 1)  # what libraries print must not be taken for a reply
        _limit()
        try:
            forbid_eval()
            for answer, gold in _WARM_UP:
                compare(answer, gold)
        except Exception as error:  # noqa: BLE001 - whatever it is, the one who asks wants to know
            _write(replies, {"error": f"{type(error).__name__}: {error}"})
            return
        _write(replies, {"error": ""})
        for line in sys.stdin.buffer:
            question = json.loads(line)
            _allow(cpu_seconds)
            _write(replies, _reply(question["answer"], question["gold"]))


def compare(answer: str, gold: str) -> bool | None:
    """Whether math-verify takes two formulas for equal; None where it cannot read the gold one."""
    from math_verify import LatexExtractionConfig, parse, verify

    golds, answers = (
        parse(f"${text}$", [LatexExtractionConfig()], fallback_mode="no_fallback", parsing_timeout=None)
        for text in (gold, answer)
    )
    if not golds:
        return None
    return bool(answers) and bool(verify(golds, answers, timeout_seconds=None))


def forbid_eval() -> None:
    """Has SymPy make numbers and names from strings without `eval`, and nothing else.

    Raises ImportError where SymPy is missing or does it in another way.
    """
    import sympy
    from sympy.parsing import sympy_parser

    def construct(code: object, _local: object, _global: object) -> Any:
        if isinstance(code, str):
            if number := _NUMBER.fullmatch(code.strip()):
                over, under, decimal = number.groups()
                return sympy.Float(decimal) if decimal else sympy.Rational(int(over), int(under or 1))
            if name := _NAME.fullmatch(code.strip()):
                return sympy.Symbol(name[1]) if name[1] else getattr(sympy, name[2])
        raise ValueError("only numbers and names are read from strings")

    if not hasattr(sympy_parser, "eval_expr"):
        raise ImportError(f"SymPy {sympy.__version__} is not supported")
    sympy_parser.eval_expr = construct
    logging.disable(logging.CRITICAL)


def _reply(answer: str, gold: str) -> dict[str, Any]:
    try:
        found = compare(answer, gold)
    except Exception as error:  # noqa: BLE001 - a library's failure on one question; the next may go well
        return {"equal": None, "note": f"math-verify failed: {type(error).__name__}"}
    note = "math-verify cannot read the gold answer" if found is None else "math-verify"
    return {"equal": found, "note": note}


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _allow(seconds: int) -> None:
    """So much CPU time from now on; then the kernel ends this process."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + 1 + seconds, hard))


def _write(stream: IO[bytes], reply: dict[str, Any]) -> None:
    stream.write(json.dumps(reply).encode() + b"\n")


if __name__ == "__main__":
    main()
