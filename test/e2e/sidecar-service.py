"""A scoring service of the standard library only, which answers as the request's x-plan says.

It is what stands behind the sidecar in the tests: everything in its answer follows from the request, so that an answer
through the sidecar can be compared with one without it, byte by byte.
"""

import hashlib
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOP_BY_HOP = {"connection", "keep-alive"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def date_time_string(self, timestamp=None):
        return "Thu, 01 Jan 2026 00:00:00 GMT"

    def log_message(self, *args):
        pass

    def body(self):
        if "chunked" in (self.headers.get("transfer-encoding") or ""):
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def answer(self):
        plan = json.loads(self.headers.get("x-plan") or "{}")
        body = self.body()
        seen = [[name, value] for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP]
        digest = hashlib.sha256(json.dumps([self.command, self.path, seen]).encode() + body).hexdigest()
        answer = scores(body) if plan.get("score") else filler(digest, plan.get("size", 0))
        framing = plan.get("framing", "length")
        self.send_response(plan.get("status", 200))
        self.send_header("X-Request-Digest", digest)
        self.send_header("Content-Type", plan.get("type", "application/json"))
        for name, value in plan.get("headers", []):
            self.send_header(name, value)
        bodyless = self.command == "HEAD" or plan.get("status") in (204, 304)
        if framing == "chunked" and plan.get("status") != 204:
            self.send_header("Transfer-Encoding", "chunked")
        elif framing == "close":
            self.send_header("Connection", "close")
        elif plan.get("status") != 204:
            self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if bodyless:
            return
        cut = len(answer) // 2 if plan.get("cut") else len(answer)
        piece = max(1, len(answer) // plan.get("pieces", 1))
        for at in range(0, cut, piece):
            part = answer[at : min(at + piece, cut)]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part) if framing == "chunked" else part)
            self.wfile.flush()
        if plan.get("cut"):
            self.close_connection = True
        elif framing == "chunked":
            self.wfile.write(b"0\r\n\r\n")

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer


def scores(body):
    instances = json.loads(body)["instances"]
    return json.dumps({"predictions": [round(sum(row.values()) % 1, 6) for row in instances]}).encode()


def filler(digest, size):
    return (digest.encode() * (size // len(digest) + 1))[:size]


class Server(ThreadingHTTPServer):
    request_queue_size = 128


server = Server(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
