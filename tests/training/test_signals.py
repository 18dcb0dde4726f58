"""A first signal is noted, a second one raises, and before and after it is as it was."""

import os
import signal

import pytest

from dlrun.training.signals import StopRequest, Terminated, stop_on_signals


@pytest.mark.parametrize(
    ("number", "raised"),
    [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)],
    ids=["ctrl-c", "terminated"],
)
def test_a_first_signal_waits_for_the_loop_to_look_and_a_second_does_not(number: int, raised: type) -> None:
    stop_request = StopRequest()
    stop_request.check()
    with stop_on_signals(stop_request):
        os.kill(os.getpid(), number)
        with pytest.raises(raised):
            stop_request.check()
        with pytest.raises(raised):
            os.kill(os.getpid(), number)


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with stop_on_signals(StopRequest()):
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_an_interruption_inside_what_swallows_exceptions_is_not_lost() -> None:
    class Swallowing:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGINT)

    stop_request = StopRequest()
    with stop_on_signals(stop_request):
        Swallowing()
        with pytest.raises(KeyboardInterrupt):
            stop_request.check()
