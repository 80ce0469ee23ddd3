"""A postmaster's own cases: messages, and what the policy is to say of them (franking-test(5))."""

from franking.cases.language import Case, Cases, read_cases
from franking.cases.run import Result, run_case

__all__ = ["Case", "Cases", "Result", "read_cases", "run_case"]
