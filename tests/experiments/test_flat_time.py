"""The measurement of flat time and memory: a short run, and verdicts on numbers written by hand."""

import pytest
from PIL import Image
from scripts import scripts

[flat_time] = scripts("flat_time", "flat_time")


def groups(cpu_seconds, megabytes, count: int = 400):
    """Groups of four, each with these functions of the references done."""
    return [flat_time.Group(done, 1.0, cpu_seconds(done), megabytes(done)) for done in range(8, count + 1, 4)]


def test_what_stays_is_flat_and_what_grows_is_not():
    still = flat_time.verdict(groups(lambda done: 0.05, lambda done: 800))
    assert still.flat and str(still).startswith("flat: 50.0 ms") and "1.00 times as long" in str(still)
    disturbed = flat_time.verdict(groups(lambda done: 0.5 if done % 40 == 0 else 0.05, lambda done: 800))
    assert disturbed.flat
    slower = flat_time.verdict(groups(lambda done: 0.05 + 0.0001 * done, lambda done: 800))
    assert not slower.flat and slower.last == pytest.approx(0.05 + 0.0001 * 350, rel=0.02)
    larger = flat_time.verdict(groups(lambda done: 0.05, lambda done: 800 + 0.1 * done))
    assert not larger.flat and larger.growth == pytest.approx(29 / 805, rel=0.1)
    assert str(larger).startswith("NOT flat")


@pytest.fixture
def short_run(tmp_path):
    flat_time.main(["--references", "14", "--trackings", "none", "--runs", str(tmp_path), "--out", str(tmp_path)])
    return tmp_path


def test_a_short_run_has_a_row_for_each_group_but_the_first(short_run, capsys):
    rows = flat_time.read_csv(short_run / "none.csv")
    assert [row.references for row in rows] == [8, 12, 14]
    assert all(0 < row.cpu_seconds < 60 and row.seconds > 0 and 100 < row.megabytes < 100_000 for row in rows)
    assert len(list((short_run / "none" / "references").iterdir())) == 14
    with Image.open(short_run / "flat_time.png") as plot:
        assert plot.width > 500
    flat_time.main(["--trackings", "", "--out", str(short_run)])  # from the file alone
    assert "tracking=none: " in capsys.readouterr().out
