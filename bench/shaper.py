"""A link of RATE bytes a second in each direction and of ROUND_TRIP seconds, for all connections together.

Usage: python3 -I -S shaper.py, with one line of JSON on standard input: [[port, upstream port], …]. It listens on the
ports of this machine, prints a line when it does, and ends with its standard input. It adds no bytes and removes none.
"""

import asyncio
import json
import sys
import threading

RATE = 50_000_000
ROUND_TRIP = 0.020
PIECE = 64 << 10
# Pieces on their way in one direction of a connection: more than the link holds.
IN_FLIGHT = 64


class Direction:
    """When the link is free again in one direction."""

    def __init__(self):
        self.free = 0.0

    def arrival(self, now, size):
        self.free = max(now, self.free) + size / RATE
        return self.free + ROUND_TRIP / 2


async def pump(reader, writer, direction):
    """Forwards one direction of a connection up to its end."""
    loop, queue = asyncio.get_running_loop(), asyncio.Queue(IN_FLIGHT)

    async def deliver():
        while (item := await queue.get()) is not None:
            when, piece = item
            await asyncio.sleep(when - loop.time())
            writer.write(piece)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()

    delivery = asyncio.ensure_future(deliver())
    try:
        while piece := await reader.read(PIECE):
            await queue.put((direction.arrival(loop.time(), len(piece)), piece))
        await queue.put(None)
        await delivery
    finally:
        delivery.cancel()


async def forward(upstream, up, down, reader, writer):
    try:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", upstream)
        try:
            await asyncio.gather(pump(reader, far_writer, up), pump(far_reader, writer, down))
        finally:
            far_writer.close()
    except (OSError, asyncio.CancelledError):
        pass  # Either side may close a connection at any time; the other one sees that.
    finally:
        writer.close()


async def main():
    up, down = Direction(), Direction()
    for port, upstream in json.loads(sys.stdin.readline()):
        handle = lambda reader, writer, upstream=upstream: forward(upstream, up, down, reader, writer)
        await asyncio.start_server(handle, "127.0.0.1", port, limit=PIECE)
    print("ready", flush=True)
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    threading.Thread(target=lambda: (sys.stdin.read(), loop.call_soon_threadsafe(ended.set)), daemon=True).start()
    await ended.wait()


asyncio.run(main())
