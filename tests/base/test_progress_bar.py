from multimodal_pulse.base.progress_bar import progress_bar


def test_a_bar_inside_another_sends_a_file_no_cursor_codes(capsys):
    for _ in progress_bar(iterable=range(2), desc="outer"):
        for _ in progress_bar(iterable=range(3), desc="inner", leave=False):
            pass
    said = capsys.readouterr().err
    assert "\x1b" not in said and "\r" not in said
    assert all(line.startswith(("outer", "inner")) for line in said.splitlines())
    assert said.count("inner: 100%") == 2 and said.count("outer: 100%") == 1
