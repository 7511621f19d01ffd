"""The error for input that cannot be used."""


class UserError(Exception):
    """The message is one sentence with the cause and the remedy; the command line prints it and exits with status 1."""
