import fcntl
import os
import pty
import re
import struct
import termios
from contextlib import suppress

import pytest
from tiny_search import run, tiny_generator, tiny_references, tiny_search

from multimodal_pulse.base import progress_bar as bars
from multimodal_pulse.search.progress import SearchProgress


def test_shows_references_step_fidelity_and_time_left(capsys):
    run(tiny_search(tiny_references(3), [[0, 1], [2]], steps=12), callbacks=[SearchProgress()])
    last = capsys.readouterr().err.splitlines()[-1]
    assert "3/3 references" in last
    assert "step 12/12" in last
    assert "fidelity" in last and "left" in last


@pytest.mark.parametrize(("columns", "bar", "fidelity"), [(120, True, True), (60, False, False), (40, False, False)])
def test_a_narrow_terminal_has_the_references_the_step_and_the_time_left(columns, bar, fidelity, monkeypatch):
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with open(theirs, "w") as terminal:
        monkeypatch.setattr("sys.stderr", terminal)
        run(tiny_search(tiny_references(3), [[0, 1], [2]], steps=12), callbacks=[SearchProgress()])
        os.set_blocking(ours, False)
        said = b""
        with suppress(BlockingIOError):
            while True:
                said += os.read(ours, 2**20)
    os.close(ours)
    last = said.decode().rstrip().split("\r")[-1].strip()
    assert len(last) < columns
    assert last.startswith("3/3") and "step 12/12" in last and last.endswith("left")
    assert (("|" in last), ("fidelity" in last)) == (bar, fidelity)


def test_the_step_follows_the_bar(capsys, monkeypatch):
    class EveryUpdate(bars._Lines):
        def __init__(self, *args, **settings):
            super().__init__(*args, **settings | {"mininterval": 0})

    monkeypatch.setattr(bars, "_Lines", EveryUpdate)
    run(tiny_search(tiny_references(1), [[0]], steps=12), callbacks=[SearchProgress()])
    shown = re.findall(r" (\d+)%, step (\d+)/12, fidelity (\S+),", capsys.readouterr().err)
    assert {(int(step), int(percent)) for percent, step, _ in shown} == {
        (step, round(100 * step / 12)) for step in range(1, 13)
    }
    assert len({fidelity for _, step, fidelity in shown if int(step) <= 10}) == 1  # read at the first of ten steps


def test_a_file_gets_lines_and_no_carriage_returns(capsys):
    run(tiny_search(tiny_references(1), [[0]], steps=2), callbacks=[SearchProgress()])
    said = capsys.readouterr().err
    assert "\r" not in said and said.endswith("\n")
    updates = [line for line in said.splitlines() if "references" in line]  # Lightning may have said something too
    assert len(updates) >= 2 and all(line.count("references") == 1 for line in updates)


def test_after_a_lack_of_memory_the_bar_goes_on_where_it_was(capsys):
    def limited(w_plus, noise_maps=None):
        if len(w_plus) > 2:
            raise MemoryError
        return synthesis(w_plus, noise_maps)

    generator = tiny_generator()
    synthesis, generator.synthesis = generator.synthesis, limited
    search = tiny_search(tiny_references(3), [[0], [1, 2]], generator=generator, steps=12)
    run(search, callbacks=[SearchProgress()])
    updates = [line for line in capsys.readouterr().err.splitlines() if "references" in line]
    assert any(re.match(r"1/3 references .* 33%", line) for line in updates)  # 12 of 36 steps, no longer of 24
    assert updates[-1].startswith("3/3 references") and "100%" in updates[-1]


def test_an_error_ends_the_line(capsys):
    def broken(outcome):
        raise RuntimeError("disk full")

    search = tiny_search(tiny_references(1), [[0]], steps=2)
    with pytest.raises(RuntimeError, match="disk full"):
        search.run(broken, accelerator="cpu", callbacks=[SearchProgress()])
    assert capsys.readouterr().err.endswith("\n")
