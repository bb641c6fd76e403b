"""A run as tables, the hub beside bare python-socketio."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.chaos.checker import Tally
from tests.chaos.run import Outcome, Plan

_NONE: Final = "–"


def show(plan: Plan, outcomes: Mapping[str, Outcome], console: Console) -> None:
    """Prints ``outcomes``, by name, in columns."""
    console.print(_clients(outcomes))
    console.print(_facts(outcomes))
    console.print(_faults(outcomes))
    for name, outcome in outcomes.items():
        for example in outcome.examples if name == "hub" else []:
            console.print(f"  {example}", highlight=False, soft_wrap=True)
    wrong = outcomes["hub"].wrong
    verdict = "[green]everything was as promised[/]" if not wrong else f"[red]{wrong} wrong[/]"
    console.print(f"seed {plan.seed}: {verdict}")


def _clients(outcomes: Mapping[str, Outcome]) -> Table:
    table = Table(title="What clients received", title_justify="left")
    table.add_column("client")
    for name in outcomes:
        for column in (f"{name}\nreceived", "\nlost", "\ntwice", "\nreordered", "\nresets"):
            table.add_column(column, justify="right", no_wrap=True)
    kinds = list(dict.fromkeys(kind for each in outcomes.values() for kind in each.tallies))
    for kind in kinds:
        cells = [cell for each in outcomes.values() for cell in _cells(each.tallies.get(kind))]
        clients = next(each.tallies[kind].clients for each in outcomes.values())
        table.add_row(f"{clients} × {kind}", *cells)
    table.add_section()
    totals = []
    for each in outcomes.values():
        total = Tally()
        for tally in each.tallies.values():
            total.add(tally)
        totals += _cells(total)
    table.add_row("all", *totals)
    return table


def _cells(tally: Tally | None) -> list[str]:
    if tally is None:
        return [_NONE] * 5
    reordered = tally.reordered + tally.foreign
    return [str(n) for n in (tally.received, tally.lost, tally.twice, reordered, tally.resets)]


def _facts(outcomes: Mapping[str, Outcome]) -> Table:
    table = Table(title="What was published, and the service", title_justify="left")
    table.add_column("")
    for name in outcomes:
        table.add_column(name, justify="right")
    for name, fact in _FACTS.items():
        table.add_row(name, *(fact(each) for each in outcomes.values()))
    return table


def _faults(outcomes: Mapping[str, Outcome]) -> Table:
    table = Table(title="Faults", title_justify="left")
    table.add_column("")
    for name in outcomes:
        table.add_column(name, justify="right")
    for fault in sorted({fault for each in outcomes.values() for fault in each.faults}):
        counts = [each.faults[fault] for each in outcomes.values()]
        table.add_row(fault, *(str(count) if count else _NONE for count in counts))
    totals = (str(each.faults.total()) for each in outcomes.values())
    table.add_section()
    table.add_row("all", *totals)
    return table


def _of_ledger(name: str) -> Callable[[Outcome], str]:
    return lambda each: _NONE if each.ledger is None else str(getattr(each.ledger, name))


def _of_marks(name: str) -> Callable[[Outcome], str]:
    return lambda each: _NONE if each.marks is None else str(getattr(each.marks, name))


def _refusals(outcome: Outcome) -> str:
    return ", ".join(f"{times} {code}" for code, times in sorted(outcome.service.refusals.items()))


_FACTS: Final[dict[str, Callable[[Outcome], str]]] = {
    "publications acknowledged": lambda each: str(each.published),
    "… of these stored": _of_ledger("stored"),
    "… not stored": _of_ledger("missing"),
    "given up by the publisher": _of_ledger("unacknowledged"),
    "events stored twice": _of_ledger("doubled"),
    "events that nobody published": _of_ledger("unexplained"),
    "stored in another order": _of_ledger("misordered"),
    "logs with holes or a new epoch": _of_ledger("broken"),
    "dead letters": _of_ledger("dead"),
    "marks acknowledged": _of_marks("acknowledged"),
    "… without an answer": _of_marks("unacknowledged"),
    "notifications stored as marked": _of_marks("kept"),
    "… as marked by another": _of_marks("overridden"),
    "… otherwise": _of_marks("lost"),
    "users told of too few or too many marks": _of_marks("untold"),
    "longest time of a client without an event": lambda each: f"{each.service.silence:.1f} s",
    "… without a connection": lambda each: f"{each.service.away:.1f} s",
    "… waiting for an answer": lambda each: f"{each.service.wait:.1f} s",
    "connections recovered": lambda each: str(each.service.recovered),
    "… begun afresh": lambda each: str(each.service.afresh),
    "refusals": _refusals,
}
