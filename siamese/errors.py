"""The errors that are shown without a traceback."""


class UserError(Exception):
    """A mistake of the user's: the message says what is wrong, where, and what to do.

    The command line prints the message without a traceback and exits with 2.
    """


class RunError(Exception):
    """Work that failed through no mistake of the user's, such as workers that keep dying.

    The command line prints the message without a traceback and exits with 1.
    """
