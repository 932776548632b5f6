"""The one error that a user's mistake raises."""


class UserError(Exception):
    """A mistake of the user's: the message says what is wrong, where, and what to do.

    The command line prints the message without a traceback and exits with 2.
    """
