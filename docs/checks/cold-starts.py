#!/usr/bin/env python3
"""Measures how long the functions take from the start of their process to the answer of their first event.

    cargo build --release -p contribution-expiry -p query-api
    docs/checks/cold-starts.py target/release contribution-expiry query-api

    make cold-starts

Each function is started some times as the Lambda service does it: with variables, and with the address of an API that
hands it one event of `events/` and takes the answer. Then the process is killed. The functions take turns, so that a
machine that becomes slower meanwhile does so for all.

The tables and queues are an endpoint of this script. It answers at once, is empty at each start, and gives back single
items that the function put; its lists stay empty. So what is measured is the process alone: loading, settings, certificates, the encrypted connection with its handshake, the loop. Not measured is
what AWS adds: the download of the zip, the start of the sandbox, the way to the service. A function of 1,024 MB has
about half a processor there; `--processors 1` starts the functions on one processor of this machine.

The output is in Markdown, in milliseconds: the median, and what nine of ten starts stay below. `started` is when the function asked for
its first event, `answered` when its answer had arrived, `processors` what the process had used of them by then, which a
machine with other work changes least. Needs openssl, for a certificate that lives as long as the run.

Another revision of this repository may need other variables: `--variable NAME=VALUE`, as often as needed.
"""

import argparse
import json
import os
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# An event for each function that works on empty tables. The wake-up of a schedule is the usual first event.
EVENTS = {
    "adoption-distribution": "sqs-decisions.json",
    "cdc-ingest": "kafka-adoptions.json",
    "contribution-expiry": "schedule-expiry.json",
    "daily-snapshot": "schedule-snapshot.json",
    "ledger-audit": "schedule-audit.json",
    "ledger-stream": "schedule-stream.json",
    "query-api": "http-health.json",
    "talent-propagation": "schedule-talent.json",
    "webhook-delivery": "schedule-webhooks.json",
}
SYSTEM_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
ANSWER_LIMIT_S = 30


class Service(BaseHTTPRequestHandler):
    """Tables that keep single items, and queues that take everything."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        action = self.headers["X-Amz-Target"].split(".")[1]
        items = self.server.items
        if action == "PutItem":
            items[place(request["TableName"], request["Item"])] = request["Item"]
            answer = {}
        elif action == "GetItem":
            found = items.get(place(request["TableName"], request["Key"]))
            answer = {} if found is None else {"Item": found}
        elif action in ("Query", "Scan"):
            answer = {"Items": [], "Count": 0, "ScannedCount": 0}
        elif action == "BatchGetItem":
            found = {table: [items[place(table, key)] for key in asked["Keys"] if place(table, key) in items]
                     for table, asked in request["RequestItems"].items()}
            answer = {"Responses": found, "UnprocessedKeys": {}}
        elif action == "BatchExecuteStatement":
            answer = {"Responses": [{} for _ in request["Statements"]]}
        elif action == "SendMessageBatch":
            sent = [{"Id": entry["Id"], "MessageId": entry["Id"], "MD5OfMessageBody": ""} for entry in request["Entries"]]
            answer = {"Successful": sent, "Failed": []}
        else:
            answer = {}
        reply(self, json.dumps(answer).encode())

    def log_message(self, *_):
        pass


class Lambda(BaseHTTPRequestHandler):
    """The runtime API: hands out one event, and notes when it was asked for and when it was answered."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        run = self.server.run
        if run.started is not None:
            # The function asks for a second event, and is killed meanwhile.
            run.is_over.wait(ANSWER_LIMIT_S)
            self.close_connection = True
            return
        run.started = time.monotonic()
        reply(self, run.event, {
            "Lambda-Runtime-Aws-Request-Id": "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
            "Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1000) + 60_000),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-west-1:000000000000:function:measured",
        })

    def do_POST(self):
        run = self.server.run
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        run.answered = time.monotonic()
        run.failure = None if self.path.endswith("/response") else f"{self.path}: {body.decode()}"
        reply(self, b"{}", status=202)
        run.has_answered.set()

    def log_message(self, *_):
        pass


def place(table, attributes):
    """Returns where an item is, from all its attributes or from those of its key."""
    return table, *(attributes[name]["S"] for name in ("pk", "sk"))


def reply(handler, body, headers=None, status=200):
    handler.send_response(status)
    for name, value in (headers or {}).items():
        handler.send_header(name, value)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


class Run:
    """One start of one function."""

    def __init__(self, event):
        self.event = event
        self.started = self.answered = self.failure = None
        self.has_answered, self.is_over = threading.Event(), threading.Event()


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """A killed process ends its connections."""


def serve(server):
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def made_certificate(folder):
    """Returns a certificate for this machine with its key, and a file of all certificates that are trusted."""
    key, certificate, trusted = folder / "key.pem", folder / "certificate.pem", folder / "trusted.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True)
    system = SYSTEM_CERTIFICATES.read_bytes() if SYSTEM_CERTIFICATES.exists() else b""
    trusted.write_bytes(system + certificate.read_bytes())
    return key, certificate, trusted


def measure(binary, event, servers, variables, processors):
    """Starts a function once. Returns the milliseconds until it asked for an event and until it had answered, and those
    that it used of the processors."""
    runtime_api, service = servers
    run = Run(event)
    runtime_api.run = run
    service.items = {}
    environment = {**variables, "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{runtime_api.server_address[1]}",
                   "AWS_LAMBDA_FUNCTION_NAME": binary.name}
    limit = (lambda: os.sched_setaffinity(0, range(processors))) if processors else None
    with tempfile.TemporaryFile() as said:
        began = time.monotonic()
        process = subprocess.Popen([binary], env=environment, stdout=said, stderr=said, preexec_fn=limit)
        has_answered = run.has_answered.wait(ANSWER_LIMIT_S)
        process.kill()
        _, process.returncode, usage = os.wait4(process.pid, 0)
        run.is_over.set()
        if not has_answered or run.failure or run.started is None:
            said.seek(0)
            sys.exit(f"{binary.name} did not answer: {run.failure}\n{said.read().decode()[-4000:]}")
    return tuple(seconds * 1000 for seconds in (run.started - began, run.answered - began, usage.ru_utime + usage.ru_stime))


def shown(values):
    """Returns the median and the ninth of ten."""
    ordered = sorted(values)
    return f"{ordered[len(ordered) // 2]:.1f} | {ordered[len(ordered) * 9 // 10]:.1f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, help="the folder of the binaries, such as target/release")
    parser.add_argument("functions", nargs="*", help="which functions; all where none is named")
    parser.add_argument("--starts", type=int, default=20, help="how often each is started (20)")
    parser.add_argument("--processors", type=int, help="on how many processors of this machine a function runs (all)")
    parser.add_argument("--variable", action="append", default=[], metavar="NAME=VALUE", help="a further variable of the functions")
    arguments = parser.parse_args()
    functions = arguments.functions or list(EVENTS)

    with tempfile.TemporaryDirectory(prefix="cold-starts-") as folder:
        key, certificate, trusted = made_certificate(Path(folder))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        service = Server(("127.0.0.1", 0), Service)
        service.socket = context.wrap_socket(service.socket, server_side=True)
        endpoint = f"https://localhost:{serve(service)}"
        runtime_api = Server(("127.0.0.1", 0), Lambda)
        serve(runtime_api)
        variables = {
            "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "measured", "AWS_SECRET_ACCESS_KEY": "measured",
            "AWS_ENDPOINT_URL": endpoint, "SSL_CERT_FILE": str(trusted), "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "AWS_LAMBDA_LOG_GROUP_NAME": "measured",
            "AWS_LAMBDA_LOG_STREAM_NAME": "measured", "STAGE": "measured", "PROOF_SECRET": "measured", "WEBHOOK_SECRET": "measured",
            **{f"{table}_TABLE": table.lower() for table in ("SOURCE", "LOG", "LEDGER", "SNAPSHOTS")},
            **{f"{queue}_QUEUE_URL": f"{endpoint}/000000000000/{queue.lower()}" for queue in ("DECISIONS", "TALENT", "CLOSINGS")},
            **dict(variable.split("=", 1) for variable in arguments.variable),
        }
        measured = {function: [] for function in functions}
        for start in range(arguments.starts + 1):
            for function in functions:
                binary = (arguments.directory / function).resolve()
                event = (ROOT / "events" / EVENTS[function]).read_bytes()
                times = measure(binary, event, (runtime_api, service), variables, arguments.processors)
                # The first start reads the binary from the disk.
                if start > 0:
                    measured[function].append(times)

    print(f"{arguments.starts} starts of each function, {arguments.processors or os.cpu_count()} processors, ms.\n")
    print("| function | event | binary, MB | started, median | 9 of 10 | answered, median | 9 of 10 | processors, median | 9 of 10 |")
    print("|---|---|--:|--:|--:|--:|--:|--:|--:|")
    for function, times in measured.items():
        size = (arguments.directory / function).stat().st_size / 1e6
        columns = " | ".join(shown(values) for values in zip(*times))
        print(f"| `{function}` | `{EVENTS[function]}` | {size:.1f} | {columns} |")


if __name__ == "__main__":
    main()
