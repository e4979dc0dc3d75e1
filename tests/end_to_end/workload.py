"""Invented changes of a source, always the same for a seed."""

import random

LIVE = ("MINING_ENABLED", "PAID", "CONFIRMED", "ACTIVE")
HELD = ("CREATED", "CANCELLED")


class Workload:
    """Inserts, updates and deletes rows as the services that own them would.

    Nothing in it breaks a rule: no referrer changes, and no order gets other trees.
    """

    def __init__(self, source, seed):
        self.source = source
        self.random = random.Random(seed)
        self.depth = {}
        self.unreferred = []
        self.orders = []
        self.next_order = 1
        self.drawn = []
        self.done = {}

    def before_the_connector(self, accounts, orders):
        """What the snapshot will find, with some orders moved to the end of the heap."""
        for _ in range(accounts):
            self.register()
        for _ in range(orders):
            self.adopt()
        for order in self.random.sample(self.orders, len(self.orders) // 4):
            self.source.execute(
                "UPDATE rwa_planting.planting_orders SET created_at = now() WHERE order_id = %s", (order,)
            )

    def step(self):
        """One change, of a random kind."""
        kinds = {
            self.flip: 30,
            self.adopt: 25,
            self.draw: 6,
            self.adopt_late: 6,
            self.register: 10,
            self.delete: 5,
            self.touch_user: 8,
            self.touch_referral: 5,
            self.refer_late: 3,
        }
        kind = self.random.choices(list(kinds), list(kinds.values()))[0]
        kind()
        self.done[kind.__name__] = self.done.get(kind.__name__, 0) + 1

    def finish(self):
        """Whatever was to come late has come, but for a referral that never does."""
        while self.drawn:
            self.adopt_late()
        while self.unreferred:
            self.refer_late()
        while not self.unreferred:
            self.register()
        self.insert_order(self.draw_number(), self.unreferred[0])

    # One transaction each.

    def register(self):
        account = f"D{25122700000 + len(self.depth) + len(self.unreferred) + 1}"
        self.source.execute(
            "INSERT INTO rwa_identity.users (account_sequence, phone, status) VALUES (%s, %s, 'ACTIVE')",
            (account, f"139{self.random.randrange(10**8):08}"),
        )
        if self.depth and self.random.random() < 0.1:
            self.unreferred.append(account)
        else:
            self.refer(account)

    def refer(self, account):
        known = list(self.depth)
        # A new tree now and then; otherwise mostly below a recent account, so that chains are long.
        referrer = None
        if known and self.random.random() > 0.04:
            referrer = self.random.choice(known[-6:] if self.random.random() < 0.6 else known)
        self.depth[account] = self.depth[referrer] + 1 if referrer else 0
        self.source.execute(
            "INSERT INTO rwa_referral.referral_relations "
            "(account_sequence, referrer_account_sequence, depth) VALUES (%s, %s, %s)",
            (account, referrer, self.depth[account]),
        )

    def refer_late(self):
        if self.unreferred:
            self.refer(self.unreferred.pop(0))

    def adopt(self):
        self.insert_order(self.draw_number())

    def draw(self):
        """A number that is committed only later, after larger ones."""
        self.drawn.append(self.draw_number())

    def adopt_late(self):
        if self.drawn:
            self.insert_order(self.drawn.pop(0))

    def draw_number(self):
        number = self.next_order
        self.next_order += 1
        return number

    def insert_order(self, number, account=None):
        accounts = list(self.depth) + self.unreferred
        is_regional = self.random.random() < 0.3
        status = self.random.choice(LIVE if self.random.random() < 0.85 else HELD)
        price = f"{22617 + self.random.randrange(400)}.{self.random.randrange(10**10):010}"
        self.source.execute(
            "INSERT INTO rwa_planting.planting_orders (order_id, account_sequence, tree_count, "
            "contribution_per_tree, adoption_date, status, selected_province, selected_city) "
            "VALUES (%s, %s, %s, %s, date '2026-01-01' + %s, %s, %s, %s)",
            (
                number,
                account or self.random.choice(accounts),
                self.random.randint(1, 20),
                price,
                self.random.randrange(30),
                status,
                self.random.choice(("110000", "430000")) if is_regional else None,
                self.random.choice(("110100", "430100")) if is_regional else None,
            ),
        )
        self.orders.append(number)

    def flip(self):
        if self.orders:
            status = self.random.choice(LIVE + HELD)
            self.source.execute(
                "UPDATE rwa_planting.planting_orders SET status = %s WHERE order_id = %s",
                (status, self.random.choice(self.orders)),
            )

    def delete(self):
        if self.orders:
            order = self.orders.pop(self.random.randrange(len(self.orders)))
            self.source.execute("DELETE FROM rwa_planting.planting_orders WHERE order_id = %s", (order,))

    def touch_user(self):
        account = self.random.choice(list(self.depth))
        self.source.execute(
            "UPDATE rwa_identity.users SET status = %s WHERE account_sequence = %s",
            (self.random.choice(("ACTIVE", "FROZEN")), account),
        )

    def touch_referral(self):
        account = self.random.choice(list(self.depth))
        self.source.execute(
            "UPDATE rwa_referral.referral_relations SET ancestor_path = %s WHERE account_sequence = %s",
            (f"/{self.random.randrange(10**6)}/", account),
        )
