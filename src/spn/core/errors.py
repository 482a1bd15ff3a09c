"""Mistakes that a user can mend: the command line prints these without a traceback."""


class UserError(Exception):
    """What arrived, what was wanted, and how to fix it, in one message."""


class DatasetError(UserError):
    """A dataset that is missing files, mixes layouts, or holds labels that cannot be right.

    trap: the name in `spn.data.traps` of what is wrong.
    """

    def __init__(self, message: str, *, trap: str = "argument") -> None:
        super().__init__(message)
        self.trap = trap


class CheckpointError(UserError):
    """A checkpoint that is missing, incomplete, or does not fit the network it is loaded into."""
