"""What the train panel writes."""

from app.panels.train import readable_time, short


def test_curves_are_marked_without_exponents():
    values = (7290.0, 586.4, 0.0123, 12345.0, 1000.0)
    assert [short(value) for value in values] == ["7.29k", "586", "0.0123", "12.3k", "1k"]


def test_times_are_said_in_minutes_and_seconds():
    assert [readable_time(t) for t in (8.2, 125.0, float("nan"))] == ["8 s", "2 min 5 s", "a while"]
