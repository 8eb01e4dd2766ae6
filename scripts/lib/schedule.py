"""Who fuzzes next: shares of the time, from what each engine lately found on each target.

Knows nothing of processes, files and clocks: the same observations lead to the same choices.
"""

from dataclasses import dataclass

FLOOR = 0.25  # of the time goes by base shares alone, so that nobody starves
HALF_LIFE_SECONDS = 300  # of its own fuzzing time, after which what an arm found counts half
OWED_MAX_SECONDS = 300
DOUBT_SECONDS = 20  # so long an arm counts as average rather than by what it found


@dataclass(frozen=True, order=True)
class Arm:
    """One engine on one target."""

    engine: str
    target: str


@dataclass
class Record:
    """What an arm lately found in how much time, both fading, and how much time it is owed."""

    gained: float = 0.0
    seconds: float = 0.0
    owed: float = 0.0

    def learn(self, seconds, gained):
        fade = 0.5 ** (seconds / HALF_LIFE_SECONDS)
        self.gained = self.gained * fade + gained
        self.seconds = self.seconds * fade + seconds

    def owe(self, seconds):
        self.owed = max(-OWED_MAX_SECONDS, min(OWED_MAX_SECONDS, self.owed + seconds))


class Schedule:
    """Hands out slices of time. `base` maps arms to their base shares, in any unit; `records` is what is known of them
    already, and is kept up to date."""

    def __init__(self, base, records=None):
        total = sum(base.values())
        self.base = {arm: share / total for arm, share in base.items()}
        records = {} if records is None else records
        self.records = {arm: records.setdefault(arm, Record()) for arm in base}

    def shares(self):
        """The share of the time that each arm should get from now on; they add up to 1."""
        found = self._found()
        total = sum(self.base[arm] * found[arm] for arm in self.base)
        if total == 0:
            return dict(self.base)
        return {arm: FLOOR * base + (1 - FLOOR) * base * found[arm] / total for arm, base in self.base.items()}

    def _found(self):
        """Inputs a second that reached something new; an arm not tried for long is taken as average."""
        seconds = sum(record.seconds for record in self.records.values())
        average = sum(record.gained for record in self.records.values()) / seconds if seconds else 0.0
        return {arm: (record.gained + average * DOUBT_SECONDS) / (record.seconds + DOUBT_SECONDS)
                for arm, record in self.records.items()}

    def observe(self, arm, seconds, gained):
        """An arm has run for so long and found so many inputs that reached something new."""
        for other, share in self.shares().items():
            self.records[other].owe(share * seconds - (seconds if other == arm else 0))
        self.records[arm].learn(seconds, gained)

    def choose(self, running, allowed=None):
        """The arm that is owed most, or None; before that those never tried, so that a short first run has all. `running`:
        pairs of arm and the seconds that it will have run, not yet observed. `allowed`: the arms to choose from."""
        shares = self.shares()
        planned = sum(seconds for _, seconds in running)
        owed = {arm: self.records[arm].owed + shares[arm] * planned for arm in self.base}
        tried = {arm: self.records[arm].seconds > 0 for arm in self.base}
        for arm, seconds in running:
            owed[arm] -= seconds
            tried[arm] = True
        allowed = self.base if allowed is None else allowed
        return max((arm for arm in self.base if arm in allowed),
                   key=lambda arm: (not tried[arm], round(owed[arm], 6), round(shares[arm], 6)), default=None)
