"""A scoring service whose cost is known: CPU time per request, memory held, bursts, a leak."""

import argparse
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

parser = argparse.ArgumentParser()
parser.add_argument("--cpu-ms", type=float, default=1)
parser.add_argument("--memory-mb", type=int, default=0)
parser.add_argument("--leak-bytes", type=int, default=0)
parser.add_argument("--burst-every", type=int, default=0)
parser.add_argument("--burst-ms", type=float, default=0)
options = parser.parse_args()

held = bytearray(options.memory_mb * 1_000_000)
for at in range(0, len(held), 4096):
    held[at] = 1  # a page that nobody has touched takes no memory
leaked = []
served = 0
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def do_POST(self):
        global served
        self.rfile.read(int(self.headers.get("content-length", 0)))
        served += 1
        burst = options.burst_every and served % options.burst_every == 0
        spend((options.burst_ms if burst else options.cpu_ms) / 1000)
        if options.leak_bytes:
            leaked.append(os.urandom(options.leak_bytes))
        self.wfile.write(ANSWER)

    do_GET = do_POST


def spend(seconds):
    """Uses so much CPU time of this thread, however long that takes by the clock."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


ThreadingHTTPServer.request_queue_size = 128
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
