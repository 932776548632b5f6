"""`python:MODULE:CALLABLE`: code of the user's own.

`callable()` is called once in each worker, and returns a function `encode(list of str) -> array
[texts, numbers]`. This runs what the user names on the command line, and nothing else leads here:
never a file that came with a model or a data set.
"""

import sys
from collections.abc import Callable, Sequence
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from siamese.errors import UserError


class OwnCode:
    """Encodes with what a callable returns.

    Args:
        module: where the callable is; also one in the folder that the command is started in.
        function: its name, dotted if it is in a class.

    Raises:
        UserError: there is no such module.
    """

    def __init__(self, module: str, function: str) -> None:
        self.name = f"python:{module}:{function}"
        self._module, self._function = module, function
        self._folder = str(Path.cwd())
        self._look_here()
        try:
            there = find_spec(module) is not None
        except Exception:  # of the package that it would be in
            there = False
        if not there:
            raise UserError(
                f"--teacher {self.name}: no module {module!r}. Start the command in the folder of "
                f"{module.partition('.')[0]}.py, or install it."
            )

    @cached_property
    def _encode(self) -> Callable[[list[str]], Any]:
        self._look_here()
        found: Any = import_module(self._module)
        for part in self._function.split("."):
            if not hasattr(found, part):
                raise UserError(
                    f"--teacher {self.name}: no {self._function!r} in {self._module} "
                    f"({getattr(found, '__file__', None) or found})."
                )
            found = getattr(found, part)
        if not callable(found):
            raise UserError(
                f"--teacher {self.name}: {self._function} is a {type(found).__name__}. It must be "
                "a function that, called without arguments, returns the one that encodes texts."
            )
        encode: Callable[[list[str]], Any] = found()
        if not callable(encode):
            raise UserError(
                f"--teacher {self.name}: {self._function}() must return a function that takes a "
                f"list of texts and returns an array; it gave a {type(encode).__name__}."
            )
        return encode

    def _look_here(self) -> None:
        """Let modules be found where the command was started; a worker is somewhere else."""
        if self._folder not in sys.path:
            sys.path.append(self._folder)

    def encode(self, texts: Sequence[str]) -> Any:
        """Return what the user's function does."""
        return self._encode(list(texts))


def build(argument: str) -> OwnCode:
    """Make the teacher of `MODULE:CALLABLE`."""
    module, _, function = argument.partition(":")
    if not module or not function:
        raise UserError(
            f"--teacher python:{argument}: write python:MODULE:CALLABLE, such as "
            "python:my_teacher:make for the function `make` in my_teacher.py."
        )
    return OwnCode(module, function)
