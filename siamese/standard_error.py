"""Keep what a library writes to stderr itself, past Python, from the user's terminal."""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def holding_back(lines: re.Pattern[bytes]) -> Iterator[None]:
    """Hold back what is written to file descriptor 2, then let through all but some lines.

    Args:
        lines: is found in those that are left out.
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        real = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(real, 2)
            os.close(real)
            held.seek(0)
            for line in held:
                if not lines.search(line):
                    os.write(2, line)
