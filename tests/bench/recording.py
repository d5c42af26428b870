"""What recording costs the window: `python tests/bench/recording.py [--scene gummy_bear] [--fps 60] [--seconds 6]`.

Software GL at 1280 x 720, no display. Stretches with and without recording take turns, so that both meet the same
machine; the figures are of the window's own loop, simulation included.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from figures import emit, single_thread

from app.settings import Settings
from app.window import open_window

ROUNDS = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scene", default="gummy_bear")
    parser.add_argument("--fps", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=6.0, help="of each stretch")
    options = parser.parse_args()
    single_thread()
    open_window("openGL3_egl")
    from app.session import Session
    from app.viewer import Viewer

    session = Session("cpu", Settings(None))
    viewer = Viewer(session)
    session.open(options.scene)
    while session.world is None:
        viewer.turn()
    session.play()
    stretch(viewer, 2.0)  # the window fits its drawing to the machine
    sums = {False: [0, 0.0, 0.0, 0.0], True: [0, 0.0, 0.0, 0.0]}
    taken, waited = 0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        viewer.recording.folder = Path(folder)
        viewer.recording.choice.fps = options.fps
        for number in range(2 * ROUNDS):
            on = number % 2 == 1
            if on:
                viewer.recording.toggle()
            for place, value in enumerate(stretch(viewer, options.seconds)):
                sums[on][place] += value
            if on:
                recorder = viewer.recording.recorder
                taken, waited = taken + recorder.frames, waited + recorder.waited
                viewer.recording.toggle()
                while viewer.recording.recorder is not None:
                    viewer.turn()
    frames, cpu = ({on: row[key] for on, row in sums.items()} for key in (0, 1))
    wall, simulated = ({on: row[key] for on, row in sums.items()} for key in (2, 3))
    emit(
        "recording",
        scene=options.scene,
        film_fps=options.fps,
        window_fps=frames[False] / wall[False],
        window_fps_recording=frames[True] / wall[True],
        kept_share=(frames[True] / wall[True]) / (frames[False] / wall[False]),
        cpu_ms_a_frame=1e3 * cpu[False] / frames[False],
        cpu_ms_a_frame_recording=1e3 * cpu[True] / frames[True],
        simulated_share=simulated[False] / wall[False],
        simulated_share_recording=simulated[True] / wall[True],
        film_frames=taken,
        waited_seconds=waited,
    )
    viewer.close()


def stretch(viewer, seconds: float) -> tuple[int, float, float, float]:
    """Turn the window's loop for so long: frames, CPU time of the process, wall time and simulated time [s]."""
    frames, cpu, began = viewer.frames, time.process_time(), time.perf_counter()
    start = viewer.session.world.time
    while time.perf_counter() - began < seconds:
        viewer.turn()
    elapsed = time.perf_counter() - began
    return viewer.frames - frames, time.process_time() - cpu, elapsed, viewer.session.world.time - start


if __name__ == "__main__":
    main()
