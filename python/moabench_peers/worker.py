"""The peer's side of the protocol of src/peers/protocol.ts: one JSON object a line on stdin and stdout.

serve("engine", describe, {"ask": handler}) says hello, then answers requests one after another until stdin closes.
It needs only the standard library. What libraries print to stdout goes to stderr, which moabench keeps in a log.
"""

import json
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable

PROTOCOL_VERSION = 1
ALIVE_S = 5.0
MESSAGE_CHARACTERS = 600

Handler = Callable[[dict], dict]


class Unavailable(RuntimeError):
    """This machine, or this version of a library, lacks something; the message says what."""


class Lost(RuntimeError):
    """The device or the engine is broken, and nothing more can run in this process."""


class _Output:
    """The stdout of the protocol. After it is made, file descriptor 1 is stderr, for Python and for C."""

    def __init__(self):
        self._stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        self._lock = threading.Lock()

    def say(self, message: dict) -> None:
        line = json.dumps(message, allow_nan=False)
        with self._lock:
            self._stream.write(line + "\n")
            self._stream.flush()


def _code(error: BaseException) -> str:
    if isinstance(error, Unavailable):
        return "UNAVAILABLE"
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "OUT_OF_MEMORY"
    return "INTERNAL"


def sentence(error: BaseException) -> str:
    """An error as one line of at most MESSAGE_CHARACTERS: the error's type (not for Unavailable) and its message."""
    words = " ".join(str(error).split())
    return (words if isinstance(error, Unavailable) else f"{type(error).__name__}: {words}")[:MESSAGE_CHARACTERS]


def _end() -> None:
    """Ends this process and the processes that it started, without teardown, in which drivers and compilers may hang."""
    sys.stderr.flush()
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(0)


def _own_input():
    """The stdin of the protocol. After this call, file descriptor 0 is empty, so processes of the engine cannot read it."""
    stream = os.fdopen(os.dup(0), encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return stream


def _read(stream, requests: queue.Queue) -> None:
    """Puts requests into the queue. When moabench closes stdin or is gone, ends the process, even in mid-work."""
    for line in stream:
        requests.put(line)
    _end()


def _beat(output: _Output) -> None:
    try:
        while True:
            threading.Event().wait(ALIVE_S)
            output.say({"alive": True})
    except OSError:  # nobody listens any more
        _end()


def serve(engine: str, describe: Callable[[], dict], handlers: dict[str, Handler]) -> None:
    """Says hello, then answers requests; never returns.

    `describe` gives {versions, device} for the hello, and may take a long time.
    """
    output = _Output()
    requests: queue.Queue = queue.Queue()
    threading.Thread(target=_read, args=(_own_input(), requests), daemon=True).start()
    threading.Thread(target=_beat, args=(output,), daemon=True).start()
    output.say({"hello": {"protocol": PROTOCOL_VERSION, "engine": engine, **describe()}})
    while True:
        request = json.loads(requests.get())
        identity, ask = request["id"], request["ask"]
        try:
            if ask not in handlers:
                raise Unavailable(f"Expected one of {', '.join(handlers)} for ask but received {ask}")
            answer = {"reply": handlers[ask](request)}
        except Lost as error:
            print(f"{ask}: {error}", file=sys.stderr, flush=True)
            os._exit(3)
        except Exception as error:
            traceback.print_exc()
            answer = {"failed": {"code": _code(error), "message": sentence(error), "trace": traceback.format_exc()}}
        output.say({"id": identity, **answer})
