"""A PostgreSQL server of its own for a test, reachable from this machine only, gone with the test."""

import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

SKIPPED = 0


def programs():
    """The directory of the server's programs: that of the newest version that is installed, if any is."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    if found:
        return found[-1].parent
    return pathlib.Path(on_path).parent if on_path else None


class Server:
    """A running server. Use it in a `with` statement."""

    def __init__(self, **settings):
        self.bin = programs()
        if self.bin is None:
            print("skipped: no PostgreSQL server is installed here (Debian: apt-get install postgresql)")
            sys.exit(SKIPPED)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="contribution-postgres-"))
        self.url = f"postgres://postgres@127.0.0.1:{self.port}/postgres?sslmode=disable"
        self.settings = {"fsync": "off", "listen_addresses": "127.0.0.1", "unix_socket_directories": ""} | settings
        # The server refuses to run as root, so then it runs as the package's own user.
        self.prefix = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []

    def __enter__(self):
        # A test that is told to end takes its server with it.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        if self.prefix:
            owner = pwd.getpwnam("postgres")
            os.chown(self.directory, owner.pw_uid, owner.pw_gid)
        data = self.directory / "data"
        self._run("initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8")
        options = " ".join([f"-p {self.port}", *(f"-c {name}={value}" for name, value in self.settings.items())])
        self._run("pg_ctl", "-D", data, "-w", "-l", self.directory / "log", "-o", options, "start")
        return self

    def __exit__(self, *_):
        self._run("pg_ctl", "-D", self.directory / "data", "-m", "immediate", "-w", "stop")
        shutil.rmtree(self.directory)

    def _run(self, program, *arguments):
        command = [*self.prefix, str(self.bin / program), *map(str, arguments)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")

    def execute(self, statements):
        """Runs statements, each in a transaction of its own unless they say otherwise. Returns what they print."""
        command = [str(self.bin / "psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", self.url]
        ran = subprocess.run(command, input=statements, text=True, check=True, stdout=subprocess.PIPE)
        return ran.stdout.strip()


def literal(value):
    """A value as SQL writes it."""
    if value is None:
        return "NULL"
    if isinstance(value, (bool, int)):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"


def insert(table, rows):
    """Statements that insert rows, each a dictionary with the same columns."""
    statements = []
    for start in range(0, len(rows), 500):
        part = rows[start : start + 500]
        values = ",\n".join("(" + ", ".join(map(literal, row.values())) + ")" for row in part)
        statements.append(f"INSERT INTO {table} ({', '.join(part[0])}) VALUES\n{values};")
    return "\n".join(statements)
