"""The entry point of `multimodal-pulse` and `python -m multimodal_pulse`."""

import sys


def main() -> None:
    """Runs the command line; Ctrl-C during the imports ends it with one line."""
    try:
        from multimodal_pulse.interface import cli

        cli.main()
    except KeyboardInterrupt:
        print("multimodal-pulse: stopped.", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
