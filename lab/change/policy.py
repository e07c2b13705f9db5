"""The error-budget policy of rules/policy/error-budget.yml, and the state that it puts a service in. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lab.drills.schema.parameters import between, one_of
from lab.paths import RULES
from lab.slo.model import PAGE_TIERS
from lab.slo.specs.document import Node, read_document

FILE = RULES / "policy" / "error-budget.yml"
ROLLOUT, CONFIG, SCHEMA, ROLLBACK, SECURITY = CHANGES = ("rollout", "config", "schema", "rollback", "security")
REFUSABLE = (ROLLOUT, CONFIG, SCHEMA)
KEYS = ("states", "burning", "reopen_ratio", "unknown_refuses", "override_minutes", "postmortem_ratio")


@dataclass(frozen=True)
class State:
    """One state. It applies while more than `above_ratio` of the budget is left; the last one has no bound."""

    name: str
    above_ratio: float | None
    refuses: frozenset[str]
    means: str


@dataclass(frozen=True)
class Policy:
    """The states from the best to the worst, and what is refused while the budget burns or nobody knows.

    An incident that spent more than `postmortem_ratio` of a budget needs a postmortem.
    """

    states: tuple[State, ...]
    burning_tier: str
    burning_refuses: frozenset[str]
    reopen_ratio: float
    unknown_refuses: frozenset[str]
    override_minutes: float
    postmortem_ratio: float

    def state(self, remaining: float, before: str = "") -> State:
        """The state of a service with this part of its budget left (1: all of it; below 0: overspent).

        `before` is the name of its state so far; "": none. It is left for a better one only when `reopen_ratio` more
        than the bound of the better one is left.
        """
        found = next(state for state in self.states if state.above_ratio is None or remaining > state.above_ratio)
        names = [state.name for state in self.states]
        if before not in names or names.index(found.name) >= names.index(before):
            return found
        better = (
            state
            for state in self.states[: names.index(before)]
            if state.above_ratio is not None and remaining > state.above_ratio + self.reopen_ratio
        )
        return next(better, self.states[names.index(before)])


def read_policy(file: Path = FILE) -> Policy:
    """The policy in `file`. Raises SpecError with file, line and key."""
    document = read_document(file, first_key="states")
    keys = document.mapping(*KEYS, required=KEYS)
    burning = keys["burning"].mapping("tier", "refuses", required=("tier", "refuses"))
    return Policy(
        states=_states(keys["states"].items()),
        burning_tier=one_of(burning["tier"], PAGE_TIERS),
        burning_refuses=refuses(burning["refuses"]),
        reopen_ratio=between(keys["reopen_ratio"], 0, 0.5),
        unknown_refuses=refuses(keys["unknown_refuses"]),
        override_minutes=between(keys["override_minutes"], 1, 7 * 24 * 60),
        postmortem_ratio=between(keys["postmortem_ratio"], 0, 1),
    )


def _states(nodes: list[Node]) -> tuple[State, ...]:
    states: list[State] = []
    for node in nodes:
        last = node is nodes[-1]
        keys = node.mapping("name", "above_ratio", "refuses", "means", required=("name", "means"))
        if last and "above_ratio" in keys:
            raise keys["above_ratio"].refuse("the last state applies to whatever is left and has no bound")
        if not last and "above_ratio" not in keys:
            raise node.refuse("above_ratio is missing; only the last state has none")
        above = None if last else between(keys["above_ratio"], 0, 1)
        if states and above is not None and above >= (states[-1].above_ratio or 0):
            raise keys["above_ratio"].refuse(f"{above:g} must be below the bound of {states[-1].name}")
        name = keys["name"].text()
        if name in {state.name for state in states}:
            raise keys["name"].refuse(f"{name!r} is the name of another state")
        refused = refuses(keys["refuses"]) if "refuses" in keys else frozenset[str]()
        states.append(State(name, above, refused, keys["means"].text()))
    return tuple(states)


def refuses(node: Node) -> frozenset[str]:
    """A list of the kinds of change that are refused. Raises SpecError for one that is unknown or always passes."""
    for item in node.items():
        if item.text() in (ROLLBACK, SECURITY):
            raise item.refuse(f"{item.text()!r} is never refused")
    return frozenset(one_of(item, REFUSABLE) for item in node.items())
