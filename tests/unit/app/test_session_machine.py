"""Any order of commands: a command works or refuses with the sentence that `can` gives, and the state stays whole."""

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sample_bodies import subdivided_box
from sessions import settle, write_obj

from app.session import Refusal, Session
from app.settings import Settings
from scenes.schema import MaterialValues
from sim.errors import StudioError

SCENE = """\
bodies:
  - name: a
    mesh: a.obj
    material: jelly
    samples: 200
    handles: 4
    pins: [{where: {half_space: {axis: x, below: 0.05}}}]
  - {name: b, mesh: a.obj, material: foam, samples: 200, handles: 3, transform: {translate: [0, 0, 0.5]}}
floor: {height: -0.2}
"""
PLAIN = (
    *("play", "pause", "step", "reset", "play_back", "undo", "redo", "cancel_loading", "unpin_all", "settle"),
    *("pause_training", "resume_training", "use_weights_now"),
)


class Commands(RuleBasedStateMachine):
    """A person who presses everything."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name)
        shape = subdivided_box((0.4, 0.1, 0.1), 2, count=64)
        write_obj(self.path / "a.obj", shape.vertices.numpy(), shape.faces.numpy())
        (self.path / "scene.yaml").write_text(SCENE)
        (self.path / "bad.obj").write_text("f 1 2 3")
        self.session = Session(device="cpu", settings=Settings(None))

    def teardown(self) -> None:
        self.session.close()
        assert not self.session.busy or self.session.wait(10)
        self.folder.cleanup()

    def call(self, name: str, *args, **options):
        """A command must do what `can` says."""
        reason = self.session.can(name)
        told = None
        try:
            result = getattr(self.session, name)(*args, **options)
        except StudioError as error:
            told = error
        if told is None:
            assert reason is None, f"{name} worked although {reason!r}"
            return result
        assert str(told).endswith((".", "?", ")")), str(told)
        if isinstance(told, Refusal):
            assert reason in (None, str(told))
        return None

    @property
    def body(self):
        return self.session.selected_body

    # -- what a person does ---------------------------------------------------------------------------------

    @initialize()
    def begin(self):
        self.session.open(self.path / "scene.yaml")
        settle(self.session, lambda: self.session.loading is None)

    @rule(name=st.sampled_from(PLAIN))
    def plain(self, name):
        self.call(name)

    @rule(times=st.integers(1, 4), seconds=st.floats(0.0, 0.05))
    def let_time_pass(self, times, seconds):
        for _ in range(times):
            self.session.tick(seconds)

    @rule(times=st.integers(1, 5))
    def simulate(self, times):
        for _ in range(times):
            self.call("step")

    @precondition(lambda self: len(self.session.timeline) > 1)
    @rule(share=st.floats(-0.2, 1.1), on=st.booleans())
    def scrub(self, share, on):
        self.call("continue_from" if on else "seek", round(share * self.session.timeline.last))

    @precondition(lambda self: self.body is not None)
    @rule(vertex=st.integers(0, 20), radius=st.sampled_from([None, 0.02, 0.3, -1.0]))
    def pin(self, vertex, radius):
        self.call("pin", self.body, self.body.shape.vertices[vertex].numpy(), radius)

    @precondition(lambda self: self.session.pins)
    @rule(data=st.data())
    def unpin(self, data):
        self.call("unpin", data.draw(st.sampled_from(self.session.pins)))

    @precondition(lambda self: self.body is not None)
    @rule(vertex=st.integers(0, 20), by=st.floats(-0.3, 0.3), keep=st.booleans())
    def pull(self, vertex, by, keep):
        grab = self.call("grab", self.body, self.session.positions(self.body)[vertex])
        grab.move_to(grab.point + by)
        if not keep:
            grab.release()

    @precondition(lambda self: self.body is not None)
    @rule(handle=st.integers(-1, 5), by=st.floats(-0.1, 0.1), release=st.booleans())
    def lead(self, handle, by, release):
        grip = self.call("drag_handle", self.body, handle)
        if grip is not None:
            pose = grip.transform
            pose[:3, 3] += by
            grip.move_to(pose)
            if release:
                grip.release()

    @precondition(lambda self: self.body is not None)
    @rule(
        material=st.one_of(
            st.sampled_from(["jelly", "cork", "nothing"]),
            st.builds(
                MaterialValues,
                young=st.floats(1e3, 1e7),
                poisson=st.floats(-0.2, 0.6),
                density=st.just(500.0),
            ),
        )
    )
    def change_material(self, material):
        self.call("set_material", self.body, material)

    @rule(gravity=st.tuples(*3 * [st.floats(-20, 20)]), height=st.one_of(st.none(), st.floats(-1, 1)))
    def change_world(self, gravity, height):
        self.call("set_gravity", gravity)
        self.call("set_floor", height)

    @rule(number=st.integers(0, 1))
    def select(self, number):
        if number < len(self.session.bodies):
            self.session.selected_body = self.session.bodies[number]

    @rule(handles=st.integers(1, 4))
    def train_a_little(self, handles):
        if self.session.can("train") is None:
            self.call("train", "draft", handles)
            settle(self.session, lambda: self.session.training.step > 0 or not self.session.training.active)

    @rule()
    def stop(self):
        self.call("stop_training")
        settle(self.session, lambda: not self.session.training.active)

    @rule(name=st.sampled_from(["scene.yaml", "bad.obj", "nowhere.yaml"]), patient=st.booleans())
    def open(self, name, patient):
        self.call("open", self.path / name)
        if patient:
            settle(self.session, lambda: self.session.loading is None)

    @rule()
    def save(self):
        self.call("save_scene", self.path / "saved.yaml")

    @rule()
    def close(self):
        self.call("close_scene")

    # -- what must always hold ------------------------------------------------------------------------------

    @invariant()
    def bodies_are_drawable(self):
        for body in self.session.bodies:
            assert np.isfinite(self.session.positions(body)).all()
            assert np.isfinite(self.session.handle_points(body)).all()

    @invariant()
    def the_timeline_shows_a_frame_it_has(self):
        session = self.session
        if session.world is not None:
            timeline = session.timeline
            assert timeline.first <= timeline.cursor <= timeline.last
            assert session.world.time == timeline.time(timeline.cursor)

    @invariant()
    def the_world_holds_just_what_is_arranged(self):
        session = self.session
        arranged = len(session.pins) + len(session.grips)
        assert (len(session.world.pins) if session.world is not None else 0) == arranged

    @invariant()
    def states_agree(self):
        session = self.session
        assert (session.world is None) == (session.scene is None)
        assert (session.loading is not None) == (session.status == "loading")
        assert session.status != "ready" or session.world is not None
        assert session.selected_body is None or session.selected_body in session.bodies
        if session.scene is not None:
            assert [part.name for part in session.scene.bodies] == [body.name for body in session.bodies]

    @invariant()
    def nothing_went_wrong_by_our_own_mistake(self):
        assert not [notice.text for notice in self.session.notices if "Something went wrong" in notice.text]


Commands.TestCase.settings = settings(
    max_examples=30, stateful_step_count=35, deadline=None, suppress_health_check=list(HealthCheck)
)
TestCommands = Commands.TestCase
