"""The errors that are shown without a traceback."""

import errno
import os
import re


class UserError(Exception):
    """A mistake of the user's: the message says what is wrong, where, and what to do.

    The command line prints the message without a traceback and exits with 2.
    """


class FullDiskError(UserError):
    """A disk that is full: what was being written is not there, and the work can go on later."""


class RunError(Exception):
    """Work that failed through no mistake of the user's, such as workers that keep dying.

    The command line prints the message without a traceback and exits with 1.
    """


_SPACE = "Free space there, or write elsewhere, and start it again"
_FILES = "Raise the limit of open files, as with `ulimit -n 4096`"
_ADVICE = {
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
    errno.EFBIG: _SPACE,
    errno.EROFS: "Choose a folder that can be written",
    errno.EMFILE: _FILES,
    errno.ENFILE: _FILES,
}


def in_words(error: Exception) -> str:
    """Say what went wrong, in a sentence: of an error of the system which file, and what to do."""
    error = getattr(error, "cause", error)  # of a task of Ray's, whose own words are a traceback
    if not isinstance(error, OSError):
        return str(error)
    number = number_of(error)
    where = f"{error.filename}: " if error.filename is not None else ""
    if number in _ADVICE:
        return f"{where}{os.strerror(number)}. {_ADVICE[number]}."
    return f"{where}{error.strerror or error}"


def is_full(error: BaseException) -> bool:
    """Say whether a disk is full: to try again would not change it."""
    return isinstance(error, OSError) and _ADVICE.get(number_of(error)) == _SPACE


def number_of(error: OSError) -> int:
    """Return the number of an error of the system, `errno`; 0 if it has none.

    Libraries hide it in their words: h5py, and `shutil`, which copies all it can.
    """
    found = re.search(r"(?i)errno\W+(\d+)", str(error))
    return error.errno or (int(found[1]) if found else 0)
