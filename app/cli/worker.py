"""`catena worker`: background work on its own, beside or apart from the server."""

from __future__ import annotations

import logging
import os
import signal
import threading
from types import FrameType

import click

from app.cli.common import Context, command_options
from app.cli.staff import work, working
from app.jobs.worker import Worker


@click.command()
@command_options
@click.option(
    "--concurrency",
    default=None,
    type=click.IntRange(1, 64),
    help="Jobs at once [one for each processor].",
)
@click.option("--drain", is_flag=True, help="End when nothing is left to do.")
@click.option(
    "--grace",
    default=60.0,
    show_default=True,
    type=click.FloatRange(0, 3600),
    help="When told to stop: seconds that the jobs under way have to be finished; then they are given back.",
)
def worker(context: Context, concurrency: int | None, drain: bool, grace: float) -> None:
    """Run background work until SIGTERM or Ctrl-C: the jobs under way are finished, no other is begun."""
    from app.attendants import attendants
    from app.wiring import make_worker

    logging.getLogger("catena.worker").setLevel(logging.INFO)
    services, told = context.services, threading.Event()
    services.archive.seal_key()  # a wrong passphrase must stop us now, not at the first receipt
    services.checkpoint()
    services.exports.recover()
    staff = [make_worker(services) for _ in range(concurrency or os.cpu_count() or 1)]

    def stop(_signal: int, _frame: FrameType | None) -> None:
        told.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    context.say(f"{len(staff)} jobs at once, {services.jobs.unfinished()} waiting (Ctrl-C stops)")
    try:
        with working(attendants(services)):
            do = Worker.drain if drain else Worker.run
            given_back = work(staff, do, told_to_end=told, grace_s=grace)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    left = services.jobs.unfinished()
    context.say(f"{sum(one.worked for one in staff)} jobs worked on, {given_back} given back unfinished")
    context.show({"unfinished": left}, f"{left} jobs are left")


COMMANDS = (worker,)
