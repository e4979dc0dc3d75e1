"""A PostgreSQL cluster of its own, in a directory that goes away with it."""

import json
import os
import pathlib
import pwd
import shutil
import socket
import subprocess

import psycopg2

SERVER = pathlib.Path("/usr/lib/postgresql/15/bin")


def free_port():
    """A port nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Source:
    """The running cluster, reachable from this machine only."""

    def __init__(self, directory, *schemas):
        self.directory = pathlib.Path(directory)
        self.port = free_port()
        self.user = "postgres"
        # The server refuses to run as root, so then it runs as the package's own user.
        self.prefix = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        self.directory.mkdir()
        if self.prefix:
            owner = pwd.getpwnam("postgres")
            os.chown(self.directory, owner.pw_uid, owner.pw_gid)
        self._run("initdb", "-D", self.directory, "-U", self.user, "--auth=trust", "--no-sync", "-E", "UTF8")
        options = (
            f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= "
            "-c wal_level=logical -c fsync=off -c max_wal_senders=8 -c max_replication_slots=8"
        )
        self._run("pg_ctl", "-D", self.directory, "-w", "-l", self.directory / "log", "-o", options, "start")
        self.connection = self.connect()
        for schema in schemas:
            self.execute(pathlib.Path(schema).read_text())

    def _run(self, program, *arguments):
        command = [*self.prefix, str(SERVER / program), *map(str, arguments)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")

    def connect(self):
        connection = psycopg2.connect(
            host="127.0.0.1", port=self.port, user=self.user, dbname="postgres", connect_timeout=10
        )
        connection.autocommit = True
        return connection

    def execute(self, statement, values=None):
        """Runs a statement, or several, in one transaction."""
        with self.connection.cursor() as cursor:
            cursor.execute(statement, values)

    def query(self, statement, values=None):
        with self.connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall()

    def slots(self):
        """How many connectors follow the log of changes."""
        return self.query("SELECT count(*) FROM pg_replication_slots")[0][0]

    def position(self):
        """Where the log of changes ends."""
        return self.query("SELECT pg_current_wal_lsn()::text")[0][0]

    def is_read_up_to(self, position):
        """Whether every connector has handed over all changes before this position."""
        slots = self.query("SELECT confirmed_flush_lsn >= %s::pg_lsn FROM pg_replication_slots", (position,))
        return bool(slots) and all(is_read for (is_read,) in slots)

    def write_rows(self, path):
        """Writes every row as it is now, as a record the oracle reads."""
        rows = self.query("SELECT topic, key, row FROM oracle_rows")
        with open(path, "w") as file:
            for offset, (topic, key, row) in enumerate(rows):
                value = row | {"__op": "r", "__lsn": 0, "__deleted": "false"}
                record = {"topic": topic, "partition": 0, "offset": offset, "timestamp": 0}
                file.write(json.dumps(record | {"key": key, "value": json.dumps(value)}) + "\n")
        return len(rows)

    def stop(self):
        self.connection.close()
        self._run("pg_ctl", "-D", self.directory, "-m", "immediate", "-w", "stop")
        shutil.rmtree(self.directory)
