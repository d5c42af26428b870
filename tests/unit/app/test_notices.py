"""Messages on show: counted, in the person's words, gone in time; errors stay."""

import pytest

from app.notices import Notices
from sim.errors import ShapeError


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def notices(clock) -> Notices:
    return Notices(clock)


def test_the_same_message_is_counted_and_comes_last(notices):
    notices.add("warning", "torn")
    notices.add("info", "other")
    notices.add("warning", "torn")
    assert [(n.text, n.count) for n in notices.shown] == [("other", 1), ("torn", 2)]


def test_information_goes_by_itself_and_errors_wait(notices, clock):
    notices.add("info", "a")
    notices.add("warning", "b")
    notices.add("error", "c")
    clock.now += 7
    notices.expire()
    assert [n.text for n in notices.shown] == ["b", "c"]
    clock.now += 1e6
    notices.expire()
    assert [n.text for n in notices.shown] == ["c"]


def test_dismissing_takes_away_just_that_one_and_twice_is_fine(notices):
    first = notices.add("error", "a")
    notices.add("error", "b")
    notices.dismiss(first)
    notices.dismiss(first)
    assert [n.text for n in notices.shown] == ["b"]


def test_our_own_errors_speak_for_themselves_and_others_are_explained(notices):
    try:
        raise ShapeError("bar.obj holds no vertices.")
    except ShapeError as error:
        notices.add_exception(error, doing="opening bar.obj")
    try:
        {}["key"]
    except KeyError as error:
        notices.add_exception(error, doing="drawing the train panel")
    ours, other = notices.shown
    assert ours.text == "bar.obj holds no vertices."
    assert "drawing the train panel" in other.text
    assert "KeyError" in other.text
    assert "test_notices.py" in other.detail  # the traceback, to copy


def test_a_flood_keeps_the_newest(notices):
    for number in range(1000):
        notices.add("error", str(number))
    assert len(notices.shown) == 20
    assert notices.shown[-1].text == "999"
