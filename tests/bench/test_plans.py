"""How commands, round trips and plans are read."""

from __future__ import annotations

from bench.plans import examined, explanations, serving, without_state
from bench.watch import Asked, Watch


def asked(*spans: tuple[float, float]) -> Watch:
    watch = Watch()
    watch.asked = [Asked({}, began, ended) for began, ended in spans]
    return watch


def test_commands_that_are_under_way_at_once_are_one_trip() -> None:
    assert asked().trips == 0
    assert asked((0.0, 1), (1, 2), (2, 3)).trips == 3
    assert asked((0.0, 1), (1, 4), (2, 3), (3.5, 5)).trips == 3
    assert asked((0.0, 3), (1, 2), (2, 4)).trips == 2


def test_by_its_id_a_document_is_found_whatever_else_is_asked_of_it() -> None:
    assert serving("inboxes", {"_id": "u", "causes": {"$ne": "c"}}, []) == ["_id_"]
    assert serving("inboxes", {"causes": {"$ne": "c"}}, []) == []
    assert serving("inboxes", {"version": 1}, []) == []


def test_what_tells_documents_of_a_range_apart_is_left_out() -> None:
    query = {"recipient": "u", "seenAt": None, "readStamp": {"$lt": "s"}}
    assert without_state({"$and": [query, {"readStamp": {"$lt": "s"}}]}) == {"recipient": "u"}


def test_what_is_sent_to_have_a_command_explained() -> None:
    find = {"find": "n", "filter": {"a": 1}, "limit": 3, "lsid": 1, "$db": "x"}
    (explain,) = explanations(find)
    assert explain == {
        "explain": {"find": "n", "filter": {"a": 1}, "limit": 3},
        "verbosity": "executionStats",
    }
    several = explanations({"update": "n", "updates": [{"q": {}}, {"q": {"a": 1}}], "lsid": 1})
    assert [each["explain"]["updates"] for each in several] == [[{"q": {}}], [{"q": {"a": 1}}]]
    assert explanations({"insert": "n"}) == []


def test_what_is_explained() -> None:
    stats = {"executionStats": {"totalKeysExamined": 3, "totalDocsExamined": 2}}
    assert examined(stats) == (3, 2)
    assert examined({"stages": [{"$cursor": stats}, {"$group": {}}]}) == (3, 2)
    assert examined({}) == (0, 0)
