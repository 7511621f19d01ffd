"""`python run.py --help` tells what this does; an installed `multimodal-pulse` does the same."""

from multimodal_pulse.__main__ import run_as_process

if __name__ == "__main__":
    run_as_process()
