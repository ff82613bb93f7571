"""Qdrant's engine behind the part of Qdrant's REST that Turnkeeper uses: a stand-in where no Qdrant server is.

    server.py --data-dir DIR [--port 0]

Prints one JSON line: {"listening": url}, or {"error": {"code", "message"}} and exits with 1. What it does not know it
refuses, and ignores nothing. HNSW graphs are built when PATCH /collections/{name} asks for it, and not by themselves:
until then searches compare every vector, which is exact.
"""

import argparse
import fcntl
import json
import os
import re
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from urllib.parse import unquote, urlsplit

from collections_on_disk import Collections
from refusals import Refused

HOST = "127.0.0.1"
ENGINE = f"qdrant-edge-py {version('qdrant-edge-py')}"

ROUTES = [
    ("GET", r"/collections", "list"),
    ("GET", r"/collections/([^/]+)", "describe"),
    ("PUT", r"/collections/([^/]+)", "create"),
    ("PATCH", r"/collections/([^/]+)", "optimize"),
    ("DELETE", r"/collections/([^/]+)", "drop"),
    ("PUT", r"/collections/([^/]+)/index", "index_field"),
    ("PUT", r"/collections/([^/]+)/points", "upsert"),
    ("POST", r"/collections/([^/]+)/points/delete", "delete"),
    ("POST", r"/collections/([^/]+)/points/count", "count"),
    ("POST", r"/collections/([^/]+)/points/query", "query"),
]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Header and body of an answer go out together and at once.
    wbufsize = -1
    disable_nagle_algorithm = True

    def respond(self):
        # Read in any case: what is left of it would be taken for the next request.
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            self.send(200, self.route(sent))
        except Refused as refusal:
            self.send(refusal.status, {"status": {"error": str(refusal)}, "time": 0})
        except Exception as error:
            self.send(500, {"status": {"error": f"Service internal error: {error}"}, "time": 0})

    do_GET = do_PUT = do_PATCH = do_POST = do_DELETE = respond

    def route(self, sent):
        path = urlsplit(self.path).path.rstrip("/")
        if self.command == "GET" and path == "":
            return {"title": f"Turnkeeper's stand-in for Qdrant, over {ENGINE}", "version": "1.18.0"}
        for method, pattern, operation in ROUTES:
            match = re.fullmatch(pattern, path)
            if match and method == self.command:
                names = [unquote(name) for name in match.groups()]
                body = [read_json(sent)] if method != "GET" else []
                result = getattr(self.server.collections, operation)(*names, *body)
                return {"result": result, "status": "ok", "time": 0}
        raise Refused(404, f"{self.command} {path} is not served by {ENGINE}'s stand-in")

    def send(self, status, answer):
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def read_json(sent):
    try:
        body = json.loads(sent or b"{}")
    except ValueError as error:
        raise Refused(400, f"Format error in JSON body: {error}") from error
    if not isinstance(body, dict):
        raise Refused(400, "Format error in JSON body: an object is expected")
    return body


def lock(data_dir):
    """Held until this process ends: two engines on one directory would destroy it."""
    os.makedirs(data_dir, exist_ok=True)
    held = open(os.path.join(data_dir, "lock"), "w")
    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return held


def serve(data_dir, port):
    server = ThreadingHTTPServer((HOST, port), Handler)
    server.daemon_threads = True
    server.collections = Collections(data_dir)
    stopping = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopping.set())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"listening": f"http://{HOST}:{server.server_address[1]}"}), flush=True)
    stopping.wait()
    server.shutdown()
    server.collections.close()


def fail(code, message):
    print(json.dumps({"error": {"code": code, "message": message}}), flush=True)
    sys.exit(1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    try:
        held = lock(arguments.data_dir)
    except BlockingIOError:
        fail("data_dir_in_use", f"The data directory {arguments.data_dir} is used by another engine.")
    except OSError as error:
        fail("service_failed", f"{arguments.data_dir} cannot be used as the data directory: {error}.")
    with held:
        serve(arguments.data_dir, arguments.port)


if __name__ == "__main__":
    main()
