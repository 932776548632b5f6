"""Which laws of the conformance suite are broken."""

from collections.abc import Callable

from siamese.testing import LawBroken


def broken(*checks: Callable[[], None]) -> set[str]:
    """The laws that some checks find broken."""
    found = set()
    for check in checks:
        try:
            check()
        except LawBroken as error:
            assert error.law in str(error)
            found.add(error.law)
    return found
