"""Word problems of our own, and solutions with calculation annotations turned into steps."""

from bswirl.problems.annotated import Calculation, calculations, solution_steps, unannotated
from bswirl.problems.making import make_problems

__all__ = ["Calculation", "calculations", "make_problems", "solution_steps", "unannotated"]
