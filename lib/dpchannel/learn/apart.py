"""Work in processes of its own: what loads TensorFlow must neither stay nor be forked.

They end when this process does, however that ends, and end what they have started.
"""

import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, TypeVar, cast

from dpchannel.errors import DpchannelError, EngineFailed

T = TypeVar("T")
Call = tuple[Callable[..., T], tuple[Any, ...]]


def apart(work: Callable[..., T], *arguments: Any) -> T:
    """`work(*arguments)` in a fresh process; what it raises is raised here.

    Raises
    ------
    EngineFailed            the process died without a word
    """
    return together([(work, arguments)], slots=1)[0]


def together(calls: Sequence[Call[T]], *, slots: int) -> list[T]:
    """What every call gives, `slots` of them at a time.

    When one of them raises the others go on to their end; then the first error is raised.
    """
    context = get_context("spawn")
    waiting = deque(enumerate(calls))
    running = dict[Connection, tuple[int, SpawnProcess]]()
    answers: dict[int, tuple[bool, Any]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < slots:
                index, call = waiting.popleft()
                mine, theirs = context.Pipe(duplex=False)
                process = context.Process(target=_answer, args=(theirs, *call), daemon=True)
                process.start()
                theirs.close()
                running[mine] = (index, process)
            for ready in wait(list(running)):
                mine = cast("Connection", ready)
                index, process = running[mine]
                answers[index] = _receive(mine, calls[index][0].__name__)
                del running[mine]
                process.join()
    finally:
        for _, process in running.values():
            process.terminate()
        for _, process in running.values():
            process.join()
    for _, (ok, answer) in sorted(answers.items()):
        if not ok:
            raise answer
    return [answers[index][1] for index in range(len(calls))]


def _receive(connection: Connection, name: str) -> tuple[bool, Any]:
    try:
        ok, answer = connection.recv()
    except EOFError:
        return False, EngineFailed(f"{name}: its process died. Is there enough memory?")
    return ok, answer


def _answer(connection: Connection, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    # as an exception, so that `finally` ends what was started
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        answer = (True, work(*arguments))
    except (DpchannelError, OSError, KeyboardInterrupt) as error:  # any other shows its traceback
        answer = (False, error)
    connection.send(answer)


def _end_with_parent() -> None:
    if (parent := parent_process()) is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
