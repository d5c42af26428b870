"""Laws of undo: it is the inverse of a push, redo the inverse of undo."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from app.undo import UndoHistory

values = st.integers()


@given(st.lists(values, min_size=1, max_size=30))
def test_undoing_everything_leads_back_and_redoing_everything_forward(states):
    history = UndoHistory(None)
    for state in states:
        history.push(state)
    walked = [history.undo() for _ in states]
    assert walked == [*reversed(states[:-1]), None]
    assert not history.can_undo
    assert [history.redo() for _ in states] == states
    assert not history.can_redo


@given(st.lists(values, min_size=2, max_size=20))
def test_a_gesture_is_one_step(states):
    history = UndoHistory(None)
    for state in states:
        history.push(state, gesture="slider")
    assert history.undo() is None
    assert history.redo() == states[-1]
    history.push(7, gesture="slider")  # after going back and forth it is another gesture
    assert history.undo() == states[-1]


class Model(RuleBasedStateMachine):
    """Against the plainest model: a list and a place in it."""

    def __init__(self):
        super().__init__()
        self.history = UndoHistory(0)
        self.line, self.at, self.gesture = [0], 0, None

    @rule(state=values, gesture=st.sampled_from([None, "a", "b"]))
    def push(self, state, gesture):
        self.history.push(state, gesture=gesture)
        if gesture is not None and gesture == self.gesture:
            self.line = [*self.line[: self.at], state]
        else:
            self.line = [*self.line[: self.at + 1], state]
            self.at += 1
        self.gesture = gesture

    @rule()
    def undo(self):
        self.history.undo()
        self.at, self.gesture = max(0, self.at - 1), None

    @rule()
    def redo(self):
        self.history.redo()
        self.at, self.gesture = min(len(self.line) - 1, self.at + 1), None

    @rule()
    def settle(self):
        self.history.settle()
        self.gesture = None

    @rule(state=values)
    def replace(self, state):
        self.history.replace(state)
        self.line[self.at] = state

    @invariant()
    def agrees(self):
        assert self.history.present == self.line[self.at]
        assert self.history.can_undo == (self.at > 0)
        assert self.history.can_redo == (self.at < len(self.line) - 1)


TestModel = Model.TestCase
