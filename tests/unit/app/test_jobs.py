"""The worker: whatever a job does comes back as a value, and stopping is obeyed."""

import subprocess
import sys
import threading

import pytest

from app.jobs import Failed, Finished, Report, Worker
from sim.errors import Cancelled, StudioError


def collect(worker: Worker) -> list:
    messages = []
    while worker.busy:
        assert worker.wait(10)
        messages += worker.poll()
    return messages


def test_reports_come_in_order_and_the_result_comes_last():
    worker = Worker()

    def job(context):
        for value in range(100):
            context.report(value)
        return "done"

    worker.start(job, name="job")
    assert collect(worker) == [*map(Report, range(100)), Finished("done")]
    assert not worker.busy
    assert worker.poll() == []


@pytest.mark.parametrize(
    "error", [ValueError("x"), StudioError("y"), MemoryError(), SystemExit(1), KeyboardInterrupt()]
)
def test_any_exception_comes_back_as_a_value(error):
    def job(context):
        raise error

    worker = Worker()
    worker.start(job, name="job")
    assert collect(worker) == [Failed(error)]


def test_one_job_at_a_time_until_its_end_was_polled():
    worker = Worker()
    go = threading.Event()
    worker.start(lambda context: go.wait(10), name="job")
    with pytest.raises(StudioError, match="still running"):
        worker.start(lambda context: None, name="another")
    go.set()
    collect(worker)
    worker.start(lambda context: 1, name="next")
    assert collect(worker) == [Finished(1)]


def test_a_cancelled_job_ends_and_says_so():
    worker = Worker()
    began = threading.Event()

    def job(context):
        began.set()
        assert context.cancel.wait(10)
        context.check()

    worker.start(job, name="job")
    assert began.wait(10)
    worker.cancel()
    (end,) = collect(worker)
    assert end.cancelled
    assert isinstance(end.error, Cancelled)


def test_close_waits_no_longer_than_told_for_a_job_that_does_not_obey():
    worker = Worker()
    go, began = threading.Event(), threading.Event()

    def deaf(context):
        began.set()
        go.wait(30)

    worker.start(deaf, name="deaf")
    assert began.wait(10)
    assert not worker.close(0.01)
    go.set()
    assert worker.close(10)


def test_the_process_ends_well_while_a_library_is_busy():
    """Torch that comes back while the interpreter is taken down aborts the process, here nearly always."""
    program = """
import torch
from app.jobs import Worker, leave

def deaf(context):
    matrix = torch.eye(200)
    context.report("began")
    while True:
        matrix = matrix @ matrix

worker = Worker()
context = worker.start(deaf, name="deaf")
assert worker.wait(30)
assert not worker.close(0)
print("all is said")
leave(3)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stdout, ended.stderr) == (3, "all is said\n", "")


def test_threads_take_their_usual_turns_again_after_a_job():
    before = sys.getswitchinterval()
    worker = Worker()
    worker.start(lambda context: sys.getswitchinterval(), name="job")
    (end,) = collect(worker)
    assert end.result < before
    assert sys.getswitchinterval() == before


def test_nothing_to_wait_for_without_a_job():
    assert Worker().wait(0.0)
