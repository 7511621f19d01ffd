"""`python -m multimodal_pulse` is the command `multimodal-pulse`."""

from multimodal_pulse.cli import main

if __name__ == "__main__":
    main()
