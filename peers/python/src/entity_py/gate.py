"""Nothing leaves before what it rests on is durable.

Steps come in the order of their inputs. While one commit is under way further steps gather; they become durable together with the next one.
Without changes and with nothing before it, a step passes at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, Deque, List, Optional

from .peer.outputs import Change, Output, Step
from .store import Store


class Gate:
    """One for each node; `failed` is called once when the store does not take a batch, and nothing passes from then on."""

    def __init__(self, store: Store, release: Callable[[Output], None], failed: Callable[[BaseException], None]) -> None:
        self._store = store
        self._release = release
        self._failed = failed
        self._waiting: Deque[Step] = deque()
        self._task: Optional["asyncio.Task[None]"] = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._broken = False

    def put(self, step: Step) -> None:
        """Takes a step; what it holds passes in its turn."""
        if self._broken:
            return
        if self._task is None and not step.changes:
            for output in step.outputs:
                self._release(output)
            return
        self._waiting.append(step)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work())

    async def _work(self) -> None:
        try:
            while self._waiting:
                group = list(self._waiting)
                batches: List[List[Change]] = [step.changes for step in group if step.changes]
                if batches:
                    await asyncio.get_running_loop().run_in_executor(self._thread, self._store.commit, batches)
                for step in group:
                    self._waiting.popleft()
                    for output in step.outputs:
                        self._release(output)
        except BaseException as error:  # whatever it is, nothing may pass any more
            self._broken = True
            self._failed(error)
        finally:
            self._task = None

    async def empty(self) -> None:
        """Waits until everything has passed."""
        while self._task is not None:
            await asyncio.wait([self._task])
        self._thread.shutdown(wait=True)
