"""Whatever somebody else writes between any two calls of a verb that writes: nothing is overwritten unnoticed, no
brake of theirs ends released, and what is said of the mode in the end is true. The same for ends of all kinds."""

from functools import partial

import pytest

from handshakectl.policy import writer
from handshakectl.policy.writer import Writer, left_unfinished, look
from local.world import allow, deny, document
from tests.cli.parameter_store import PREFIX, Killed, ParameterStore

MODE, A, B, C = f"{PREFIX}mode", f"{PREFIX}policy/a", f"{PREFIX}policy/b", f"{PREFIX}policy/c"
OLD_A, OLD_B, NEW_A, NEW_B = (document(allow(name)) for name in ("OldA", "OldB", "NewA", "NewB"))
THEIRS = document(deny("Theirs"))
BRAKED = "handshakectl brake on by mary at 2026-11-25T00:00:00+00:00 [0-1]"


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(writer, "_SETTLE_WITHIN", 0.0)


def pushing(wanted, store):
    shown = look(store, PREFIX)
    finish = left_unfinished(shown, wanted)
    return partial(ours(store).documents, shown, wanted, finish=finish)


def ours(store, verb="push"):
    return Writer(store, PREFIX, verb, "me", "")


def enforced():
    return ParameterStore(mode="enforce", policy__a=OLD_A, policy__b=OLD_B)


def observed():
    return ParameterStore(mode="observe", policy__a=OLD_A, policy__b=OLD_B)


def braked():
    store = enforced()
    store.write(MODE, "observe", BRAKED)
    return store


def left_over():
    """What a push of two documents leaves behind that was killed after the first."""
    store = enforced()
    order = pushing({A: NEW_A, B: NEW_B}, store)
    store.killed = (len(store.calls) + 4, "after")
    with pytest.raises(Killed):
        order()
    store.killed = None
    assert (store.text(MODE), store.text(A), store.text(B)) == ("observe", NEW_A, OLD_B)
    return store


VERBS = {
    "one": (enforced, partial(pushing, {A: NEW_A})),
    "new": (enforced, partial(pushing, {C: NEW_A})),
    "two": (enforced, partial(pushing, {A: NEW_A, B: NEW_B})),
    "one, observed": (observed, partial(pushing, {A: NEW_A})),
    "two, observed": (observed, partial(pushing, {A: NEW_A, B: NEW_B})),
    "the rest": (left_over, partial(pushing, {B: NEW_B})),
    "removed": (enforced, partial(pushing, {A: None})),
    "both removed": (enforced, partial(pushing, {A: None, B: None})),
    "brake on": (enforced, lambda store: partial(ours(store, "brake").brake, look(store, PREFIX))),
    "brake on twice": (braked, lambda store: partial(ours(store, "brake").brake, look(store, PREFIX))),
    "brake off": (braked, lambda store: partial(ours(store, "brake").release, look(store, PREFIX))),
}
WANTED = {
    "one": {A: NEW_A},
    "new": {C: NEW_A},
    "two": {A: NEW_A, B: NEW_B},
    "one, observed": {A: NEW_A},
    "two, observed": {A: NEW_A, B: NEW_B},
    "the rest": {A: NEW_A, B: NEW_B},
    "removed": {A: None},
    "both removed": {A: None, B: None},
}
AFTER = {
    "brake on": "observe",
    "brake on twice": "observe",
    "one, observed": "observe",
    "two, observed": "observe",
}


def again(store, name, times, text):
    """Deleted, and made again with so many versions."""
    store.delete(name)
    for _ in range(times):
        store.write(name, text)


CHANGES = {
    **{f"{name[len(PREFIX) :]} edited": lambda s, n=name: s.write(n, THEIRS) for name in (A, B, C)},
    **{f"{name[len(PREFIX) :]} deleted": lambda s, n=name: s.delete(n) for name in (A, B, MODE)},
    **{
        f"{name[len(PREFIX) :]} made again, {times}": lambda s, n=name, t=times: again(s, n, t, THEIRS)
        for name in (A, B)
        for times in (1, 2, 3)
    },
    "brake": lambda s: s.write(MODE, "observe"),
    "brake with another's mark": lambda s: s.write(MODE, "observe", BRAKED),
    **{f"brake made again, {t}": lambda s, t=t: again(s, MODE, t, "observe") for t in (1, 2, 3, 4)},
    "mode edited": lambda s: s.write(MODE, "enforce", "released by hand"),
}


def calls_of(verb):
    make, order = VERBS[verb]
    store = make()
    run = order(store)
    begins = len(store.calls)
    assert run().why == ""
    return begins, len(store.calls)


@pytest.mark.parametrize("verb", VERBS)
def test_undisturbed_it_is_done_and_told(verb):
    make, order = VERBS[verb]
    store = make()
    outcome = order(store)()
    assert (outcome.why, outcome.lost) == ("", ())
    assert store.text(MODE) == outcome.mode == AFTER.get(verb, "enforce")
    for name, text in WANTED.get(verb, {}).items():
        assert store.text(name) == text


def is_last_instant_before_a_delete(store, call):
    """What is written between the look at a document and its delete goes with it: no call of AWS's can tell."""
    return call < len(store.calls) and store.calls[call][0] == "DeleteParameter"


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("verb", VERBS)
def test_a_change_between_any_two_calls_is_never_lost_unnoticed(verb, change):
    make, order = VERBS[verb]
    first, end = calls_of(verb)
    for call in range(first, end):
        store = make()
        run = order(store)
        assert len(store.calls) == first
        left = {}

        def somebody(store=store, left=left):
            before = store.texts()
            CHANGES[change](store)
            left.update({name: text for name, text in store.texts().items() if before.get(name) != text})

        store.before[call] = somebody
        outcome = run()
        where = (call - first, store.calls[first:], outcome)
        # Nothing is overwritten unnoticed.
        for name, text in left.items():
            told = any(lost.name == name and lost.text == text for lost in outcome.lost)
            if not is_last_instant_before_a_delete(store, call) or store.calls[call][1] != name:
                assert store.text(name) == text or told, where
            if told:
                assert outcome.why, where
                assert store.text(MODE) != "enforce", where
        # No brake of theirs ends released.
        if "brake" in change or change == "mode deleted":
            assert store.text(MODE) != "enforce", where
        # The last line is true.
        assert outcome.mode == store.text(MODE), where
        assert outcome.mode_is == writer.mode_sentence(store.text(MODE)), where
        if not outcome.why:
            for name, text in WANTED.get(verb, {}).items():
                assert store.text(name) in (text, left.get(name)), where


def is_half(store, verb):
    """Whether some of the documents are written and others not, and the policy counts."""
    wanted = WANTED.get(verb, {})
    done = {store.text(name) == text for name, text in wanted.items()}
    return len(done) > 1 and store.text(MODE) == "enforce"


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("verb", VERBS)
def test_killed_at_any_call_a_second_run_finishes_it(verb, when):
    make, order = VERBS[verb]
    first, end = calls_of(verb)
    for call in range(first, end):
        store = make()
        run = order(store)
        store.killed = (call, when)
        with pytest.raises(Killed):
            run()
        assert not is_half(store, verb), call
        store.killed = None
        second_run_finishes(store, verb)


def second_run_finishes(store, verb):
    wanted = {name: text for name, text in WANTED.get(verb, {}).items() if store.text(name) != text}
    shown = look(store, PREFIX)
    if verb in WANTED:
        if wanted or left_unfinished(shown, wanted):
            assert ours(store).documents(shown, wanted, finish=left_unfinished(shown, wanted)).why == ""
    elif verb == "brake off":
        if shown.mode.text != "enforce":
            assert ours(store, "brake").release(shown).why == ""
    else:
        assert ours(store, "brake").brake(shown).why == ""
    assert store.text(MODE) == AFTER.get(verb, "enforce")
    for name, text in WANTED.get(verb, {}).items():
        assert store.text(name) == text


@pytest.mark.parametrize("how", ["lost", "interrupted"])
@pytest.mark.parametrize("verb", VERBS)
def test_what_goes_wrong_at_any_call_is_told_as_it_is_and_a_second_run_finishes_it(verb, how):
    make, order = VERBS[verb]
    first, end = calls_of(verb)
    for call in range(first + 2, end):  # before that nothing is written, and the failure is raised
        store = make()
        run = order(store)
        getattr(store, how).add(call)
        try:
            outcome = run()
        except KeyboardInterrupt:
            outcome = None
        assert not is_half(store, verb), (call, outcome)
        if outcome is not None and "cannot be told" not in outcome.mode_is:
            assert outcome.mode == store.text(MODE), (call, outcome)
        assert outcome is None or outcome.lost == ()
        second_run_finishes(store, verb) if not held(store) else None
        if outcome is not None and not outcome.why:
            for name, text in WANTED.get(verb, {}).items():
                assert store.text(name) == text


def held(store):
    """Whether it could not be told what was overwritten, so that a person must look."""
    return ", held" in store.versions[MODE][-1]["Description"]
