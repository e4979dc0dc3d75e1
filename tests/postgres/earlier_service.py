"""The service that ran before, by its guide: what its tables hold after it has consumed a capture.

It takes users, then referrals, then adoptions, each in the order of arrival, which for a snapshot is the order of the
heap. An adoption is shared out once, when its status counts, by what its upline has unlocked at that moment; nothing is
taken back afterwards. Levels above the end of the chain are booked nowhere.
"""

import datetime
import uuid

import capture
import server

DISTRIBUTABLE = {"MINING_ENABLED", "CONFIRMED", "PAID", "ACTIVE"}
LEVELS = 15
TIERS = 3
MILLION = 10**6
RATES = {"PERSONAL": 700_000, "OPERATION": 120_000, "PROVINCE": 10_000, "CITY": 20_000}
LEVEL_RATE, BONUS_RATE = 5_000, 25_000
FIRST_BOOKED = datetime.datetime(2026, 2, 1, tzinfo=datetime.timezone.utc)
NAMES = uuid.UUID("8f3c2a54-4c1e-4b52-9a5e-2f6f1f0f4a11")


class EarlierService:
    def __init__(self, path, twice=()):
        """`twice` names orders that it shares out a second time, as after a crash before it marked them."""
        self.referrers = {row["account_sequence"]: row["referrer_account_sequence"]
                          for row in capture.last_rows(path, "referral_relations")}
        self.accounts = {row["account_sequence"]: self._account()
                         for row in capture.last_rows(path, "users")}
        self.adoptions, self.records, self.unallocated, self.system = {}, [], [], []
        self.orders = {}
        self.steps = 0
        for operation, key, row in capture.changes(path, "planting_orders"):
            if operation != "d":
                self._consume(row)
        for order in twice:
            self._share_out(self.adoptions[order])

    @staticmethod
    def _account():
        return {"has_adopted": False, "direct": 0, "PERSONAL": 0, "TEAM_LEVEL": 0, "TEAM_BONUS": 0}

    def _consume(self, row):
        order = row["order_id"]
        adoption = self.adoptions.setdefault(order, {"id": uuid.uuid5(NAMES, str(order)), "is_distributed": False})
        adoption |= {
            "original": row["adoption_id"], "account": row["account_sequence"], "trees": row["tree_count"],
            "date": capture.date(row["adoption_date"]), "status": row["status"],
            "per_tree": capture.units(row["contribution_per_tree"]),
        }
        self.orders[row["adoption_id"]] = order
        if row["status"] in DISTRIBUTABLE and not adoption["is_distributed"]:
            self._count(adoption["account"])
            self._share_out(adoption)
            adoption["is_distributed"] = True

    def _count(self, account):
        adopter = self.accounts.setdefault(account, self._account())
        if not adopter["has_adopted"]:
            adopter["has_adopted"] = True
            referrer = self.referrers.get(account)
            if referrer is not None:
                self.accounts.setdefault(referrer, self._account())["direct"] += 1

    def _depth(self, account):
        state = self.accounts.setdefault(account, self._account())
        if not state["has_adopted"]:
            return 0
        return 15 if state["direct"] >= 5 else 10 if state["direct"] >= 3 else 5 if state["direct"] >= 1 else 0

    def _tiers(self, account):
        state = self.accounts.setdefault(account, self._account())
        return state["has_adopted"] + (state["direct"] >= 2) + (state["direct"] >= 4)

    def _share_out(self, adoption):
        self.steps += 1
        total = adoption["trees"] * adoption["per_tree"]
        begins = adoption["date"] + datetime.timedelta(days=1)
        common = {
            "source_adoption_id": adoption["id"], "source_account_sequence": adoption["account"],
            "effective_date": begins, "expire_date": begins.replace(year=begins.year + 2),
            "created_at": (FIRST_BOOKED + datetime.timedelta(seconds=self.steps)).isoformat(),
        }

        def book(account, kind, rate, level=None, tier=None):
            amount = total * rate // MILLION
            self.accounts[account][kind] += amount
            self.records.append(common | {
                "account_sequence": account, "source_type": kind, "tree_count": adoption["trees"],
                "base_contribution": capture.shown(adoption["per_tree"]), "distribution_rate": f"{rate / MILLION:.6f}",
                "level_depth": level, "bonus_tier": tier, "amount": capture.shown(amount),
            })

        def keep_back(account, kind, rate, level=None):
            self.unallocated.append(common | {
                "unalloc_type": kind, "would_be_account_sequence": account, "level_depth": level,
                "amount": capture.shown(total * rate // MILLION),
            })

        book(adoption["account"], "PERSONAL", RATES["PERSONAL"])
        for account in ("OPERATION", "PROVINCE", "CITY"):
            amount = capture.shown(total * RATES[account] // MILLION)
            rate = f"{RATES[account] / MILLION:.6f}"
            self.system.append(common | {
                "system_account_id": uuid.uuid5(NAMES, account), "distribution_rate": rate, "amount": amount,
            })
        ancestor, level = self.referrers.get(adoption["account"]), 1
        while ancestor is not None and level <= LEVELS:
            if self._depth(ancestor) >= level:
                book(ancestor, "TEAM_LEVEL", LEVEL_RATE, level=level)
            else:
                keep_back(ancestor, "LEVEL_OVERFLOW", LEVEL_RATE, level=level)
            if level == 1:
                for tier in range(1, TIERS + 1):
                    if self._tiers(ancestor) >= tier:
                        book(ancestor, "TEAM_BONUS", BONUS_RATE, tier=tier)
                    else:
                        keep_back(ancestor, f"BONUS_TIER_{tier}", BONUS_RATE)
            ancestor, level = self.referrers.get(ancestor), level + 1

    def snapshots(self, first, last):
        """The snapshot of each date. System accounts have rows, so that shares are of the whole network."""
        names = {uuid.uuid5(NAMES, account): account for account in RATES}
        legs = [(record["account_sequence"], record) for record in self.records]
        legs += [("HEADQUARTERS", record) for record in self.unallocated]
        legs += [(names[record["system_account_id"]], record) for record in self.system]
        rows, date = [], first
        while date <= last:
            effective = {}
            for account, record in legs:
                if record["effective_date"] <= date < record["expire_date"]:
                    units = int(record["amount"].replace(".", ""))
                    effective[account] = effective.get(account, 0) + units
            total = sum(effective.values())
            for account, units in sorted(effective.items()):
                ratio = units * 10**18 // total
                rows.append({
                    "snapshot_date": date, "account_sequence": account,
                    "effective_contribution": capture.shown(units), "network_total_contribution": capture.shown(total),
                    "contribution_ratio": f"0.{ratio:018}" if ratio < 10**18 else "1",
                })
            date += datetime.timedelta(days=1)
        return rows

    def statements(self, first, last):
        """The tables' content as SQL."""
        adoptions = [{
            "id": adoption["id"], "original_adoption_id": adoption["original"], "account_sequence": adoption["account"],
            "tree_count": adoption["trees"], "adoption_date": adoption["date"], "status": adoption["status"],
            "contribution_per_tree": capture.shown(adoption["per_tree"]),
            "contribution_distributed": adoption["is_distributed"],
        } for adoption in self.adoptions.values()]
        accounts = [{
            "account_sequence": account,
            "personal_contribution": capture.shown(state["PERSONAL"]),
            "team_level_contribution": capture.shown(state["TEAM_LEVEL"]),
            "team_bonus_contribution": capture.shown(state["TEAM_BONUS"]),
            "total_contribution": capture.shown(state["PERSONAL"] + state["TEAM_LEVEL"] + state["TEAM_BONUS"]),
            "has_adopted": state["has_adopted"], "direct_referral_adopted_count": state["direct"],
            "unlocked_level_depth": self._depth(account), "unlocked_bonus_tiers": self._tiers(account),
        } for account, state in list(self.accounts.items())]
        system = [{"id": uuid.uuid5(NAMES, account), "account_type": account, "name": account}
                  for account in ("OPERATION", "PROVINCE", "CITY", "HEADQUARTERS")]
        return "\n".join([
            server.insert("synced_adoptions", adoptions), server.insert("contribution_accounts", accounts),
            server.insert("contribution_records", self.records),
            server.insert("unallocated_contributions", self.unallocated),
            server.insert("system_accounts", system), server.insert("system_contribution_records", self.system),
            server.insert("daily_contribution_snapshots", self.snapshots(first, last)),
        ])
