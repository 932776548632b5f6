"""The errors that are shown without a traceback."""

import errno


class UserError(Exception):
    """A mistake of the user's: the message says what is wrong, where, and what to do.

    The command line prints the message without a traceback and exits with 2.
    """


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
    where = f"{error.filename}: " if error.filename is not None else ""
    advice = _ADVICE.get(error.errno or 0, "")
    return f"{where}{error.strerror or error}" + (f". {advice}." if advice else "")


def is_full(error: BaseException) -> bool:
    """Say whether a disk is full, or may not be written: to try again would not change it."""
    return isinstance(error, OSError) and _ADVICE.get(error.errno or 0) == _SPACE
