"""`python run.py --help` tells what this does; an installed `multimodal-pulse` does the same."""

from multimodal_pulse.__main__ import main

if __name__ == "__main__":
    main()
