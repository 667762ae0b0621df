"""Formulas compared by math-verify in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bswirl.answers import algebra, answers_match, compare
from bswirl.answers.algebra import Algebra, as_latex
from bswirl.judging.answer_check import check_answer

pytestmark = pytest.mark.skipif(not algebra.is_installed(), reason="math-verify is not installed")

ENDLESS = "9^{9^{9^{9}}}"  # one operation on whole numbers that no Python code interrupts
SLOW = "(" * 60 + "1" + ")" * 60


@pytest.fixture
def hasty() -> Iterator[Algebra]:
    """Algebra with one second for a comparison."""
    process = Algebra(cpu_seconds=1)
    yield process
    process.close()


def child(of: Algebra) -> subprocess.Popen[bytes]:
    assert of._process is not None
    return of._process


def python(code: str, *, check: bool) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=check, timeout=120)


class TestEqual:
    @pytest.mark.parametrize(
        ("answer", "gold"),
        [
            ("2\\sqrt{3}", "\\sqrt{12}"),
            ("√12", "2√3"),
            ("\\frac{\\sqrt{16}}{2}", "2"),
            ("\\boxed{x+1}", "1 + x"),
            ("(x-1)(x+1)", "x²-1"),
            ("2^{10}", "1024"),
            ("2*pi", "2\\pi"),
            ("48 + 24", "72"),
            ("(3, 4)", "\\left(3, \\frac{8}{2}\\right)"),
            ("\\{2, 1\\}", "\\{1, 2\\}"),
            ("x = \\frac{1}{2}", "0.5"),
            ("5\\sqrt{2}\\text{ cm}", "\\sqrt{50}"),
        ],
    )
    def test_the_same(self, answer: str, gold: str) -> None:
        """However they are written."""
        assert compare(answer, gold).matches is True

    @pytest.mark.parametrize(
        ("answer", "gold"),
        [
            ("x+1", "x-1"),
            ("3x", "3"),
            ("T - 18", "18"),
            ("\\sqrt{2}", "1.4"),
            ("(4, 3)", "(5, 3)"),
            ("(3, 4)", "(4, 3)"),
            ("x = 5", "y = 5 + z"),
            ("x > 5", "5"),
            ("1+1=2", "2+2=4"),
        ],
    )
    def test_different(self, answer: str, gold: str) -> None:
        """However near."""
        assert compare(answer, gold).matches is False

    def test_an_unreadable_gold_answer_leaves_it_open(self) -> None:
        """It is not the answer's fault."""
        found = compare("x+1", "\\frac{{{")
        assert found.matches is None
        assert "cannot read the gold answer" in found.note

    def test_verdicts_say_who_compared(self) -> None:
        """The answer check takes the comparison over."""
        verdict = check_answer("Answer: \\sqrt{16}", "4")
        assert (verdict.status, verdict.reward) == ("judged", 1.0)
        assert "math-verify" in verdict.rationale


class TestHostileText:
    """Nothing of it runs, and nothing of it runs on."""

    def test_time_is_limited_in_the_main_thread(self, hasty: Algebra) -> None:
        """The kernel ends the process; the next question gets a new one."""
        assert threading.current_thread() is threading.main_thread()
        assert hasty.equal("x+1", "1+x") == (True, "math-verify")
        first = child(hasty).pid
        assert hasty.equal(ENDLESS, "3") == (None, "math-verify found nothing within 1 seconds")
        assert hasty.equal("x+1", "1+x") == (True, "math-verify")
        assert child(hasty).pid != first

    def test_time_is_limited_in_other_threads(self, hasty: Algebra) -> None:
        """Several ask at once; one of them for ever."""
        questions = [("x+1", "1+x"), (SLOW, "3"), ("\\sqrt{4}", "2"), (ENDLESS, "3"), ("x", "2x")]
        found: dict[int, bool | None] = {}

        def ask(number: int) -> None:
            found[number] = hasty.equal(*questions[number])[0]

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(questions))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert found == {0: True, 1: found[1], 2: True, 3: None, 4: False}
        assert found[1] is not True

    def test_a_process_that_hangs_without_computing_is_ended(self) -> None:
        """There is a limit on the clock as well."""
        process = Algebra(wall_seconds=0.5)
        assert process.equal("x+1", "1+x")[0] is True
        pid = child(process).pid
        os.kill(pid, signal.SIGSTOP)
        assert process.equal("x+2", "2+x") == (None, "math-verify was ended after 0 seconds")
        assert not Path(f"/proc/{pid}").exists()
        process.close()

    def test_a_process_that_somebody_ended_is_replaced(self, hasty: Algebra) -> None:
        """Such as the kernel, short of memory."""
        hasty.equal("x+1", "1+x")
        child(hasty).kill()
        child(hasty).wait()
        assert hasty.equal("x+1", "1+x")[0] is True

    @pytest.mark.parametrize(
        "text",
        [
            "__import__('os').system('touch {}')",
            "\\text{{__import__('os').system('touch {}')}}",
            "\\operatorname{{eval}}(open('{}','w'))",
            "\\mathrm{{exec}}(\"open('{}','w')\")",
            "'].__class__.__base__.__subclasses__()[0]; open('{}','w') #",
            "$; open('{}', 'w'); $",
        ],
    )
    def test_nothing_is_executed(self, text: str, tmp_path: Path, hasty: Algebra) -> None:
        """Python in a formula is no Python."""
        mark = tmp_path / "mark"
        for answer, gold in ((text.format(mark), "3"), ("3", text.format(mark))):
            assert hasty.equal(answer, gold)[0] is not True
        assert not mark.exists()

    def test_sympy_evaluates_no_strings(self) -> None:
        """The step that would call `eval` knows numbers and names alone."""
        code = (
            "import sympy; from bswirl.answers.algebra_process import forbid_eval; forbid_eval()\n"
            "print(sympy.Number('12'), sympy.Number('0.5'), sympy.sympify('x'))\n"
            "for text in ('print(1)', '1+1', 'open', '__import__(\"os\")', '().__class__'):\n"
            "    try: sympy.sympify(text)\n"
            "    except Exception: continue\n"
            "    print('evaluated', text)\n"
        )
        done = python(code, check=True)
        assert done.stdout.split() == ["12", "0.500000000000000", "x"]

    def test_the_process_has_no_keys(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It gets no more of the environment than it needs to start."""
        monkeypatch.setenv("SOME_API_KEY", "geheim")
        process = Algebra()
        process.equal("x+1", "1+x")
        assert b"geheim" not in Path(f"/proc/{child(process).pid}/environ").read_bytes()
        process.close()


class TestProcess:
    def test_numbers_and_words_start_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nor do they import anything."""
        monkeypatch.setattr(algebra, "equal", lambda *_: pytest.fail("asked"))
        assert answers_match("$1,200.00", "1200")
        assert not answers_match("yes", "no")

    def test_ends_with_its_owner(self) -> None:
        """A killed worker leaves none behind."""
        code = (
            "import os, signal; from bswirl.answers import algebra\n"
            "algebra.equal('x+1', '1+x'); print(algebra._shared._process.pid, flush=True)\n"
            "os.kill(os.getpid(), signal.SIGKILL)"
        )
        done = python(code, check=False)
        process = Path(f"/proc/{int(done.stdout)}")
        until = time.monotonic() + 30
        while process.exists() and time.monotonic() < until:
            time.sleep(0.05)
        assert not process.exists()

    def test_a_forked_process_asks_one_of_its_own(self) -> None:
        """Questions and replies of two do not mix in one pipe."""
        code = (
            "import os; from bswirl.answers import algebra\n"
            "assert algebra.equal('x+1', '1+x')[0]; mine = algebra._shared._process.pid\n"
            "if os.fork() == 0:\n"
            "    assert algebra.equal('x+2', '2+x')[0]\n"
            "    os._exit(algebra._shared._process.pid == mine)\n"
            "assert os.wait()[1] == 0\n"
            "assert algebra.equal('x+3', '3+x')[0] and algebra._shared._process.pid == mine\n"
        )
        assert python(code, check=False).returncode == 0

    def test_one_that_does_not_start_says_why(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """And is not started again and again."""
        monkeypatch.setattr(algebra, "_PROCESS", "bswirl.answers.not_there")
        process = Algebra()
        assert process.equal("x+1", "1+x") == (None, "math-verify does not start: no answer")
        assert process.equal("x+1", "1+x") == (None, "math-verify does not start: no answer")
        process.close()

    @pytest.mark.parametrize(
        ("text", "latex"),
        [
            ("√(x+1)", "\\sqrt{x+1}"),
            ("√2", "\\sqrt{2}"),
            ("x²+y⁻¹", "x^{2}+y^{-1}"),
            ("2*x", "2\\cdot x"),
            ("x**2", "x^2"),
            ("50%", "50\\%"),
            ("$x$", "x"),
            ("x−1", "x-1"),
        ],
    )
    def test_latex(self, text: str, latex: str) -> None:
        """Typographic signs become commands."""
        assert as_latex(text) == latex
