"""What the user is told when something given cannot be used."""


class UserError(Exception):
    """One sentence naming the offending thing and the remedy; the command line prints it and exits with status 1."""
