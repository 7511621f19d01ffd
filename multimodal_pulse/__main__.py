"""`python -m multimodal_pulse` is the command `multimodal-pulse`; it starts here, before anything is imported."""

import sys


def main() -> None:
    """`cli.main`, with one line for a Ctrl-C that comes while that is imported."""
    try:
        from multimodal_pulse.interface import cli

        cli.main()
    except KeyboardInterrupt:
        print("multimodal-pulse: stopped.", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
