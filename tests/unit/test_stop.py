"""Stop: the flag that a signal handler sets while the loop sleeps on it."""

import signal
import threading
import time

from goinst.run.stop import Stop


def test_a_sleeper_wakes_up_when_it_is_set() -> None:
    stop = Stop()
    threading.Timer(0.05, stop.set).start()
    began = time.monotonic()
    stop.wait(30)
    assert time.monotonic() - began < 10
    assert stop.is_set()
    stop.wait(30)  # set: no sleep at all
    stop.clear()
    assert not stop.is_set()
    began = time.monotonic()
    stop.wait(0.05)  # what was written before does not wake it
    assert time.monotonic() - began >= 0.04
    stop.close()


def test_a_signal_handler_may_set_it_at_any_moment() -> None:
    stop = Stop()
    count = 0

    def handler(number: int, frame: object) -> None:
        nonlocal count
        count += 1
        stop.set()

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            stop.clear()
            stop.wait(0.0004)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert count > 100
    stop.close()


def test_setting_it_ten_thousand_times_does_not_block() -> None:
    stop = Stop()
    for _ in range(200_000):
        stop.set()
    assert stop.is_set()
    stop.close()
    stop.set()  # late, but harmless
