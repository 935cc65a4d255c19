"""What a change of the policy changes in effect: where `decide` answers otherwise, in as few lines as say it.

Values in a policy are literal, so the space of situations is finite: every action, origin, organization that the
account is in and stretch of time that either policy names, and "any other". A region of that space is a set of boxes.
A box is one integer an axis, a set of the values that have their bit in it; a negative integer is a set of all values
but some, so `~` is the complement and -1 is everything. An account's role is no axis: `MAY_ACCEPT` and the
organization that the account is in leave one role to each action.

Nothing is read or written here.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache, partial, reduce
from operator import or_

from handshake_acceptor.policy.decide import ANY, NONE, Effect, Policy, Respond, Statement
from handshake_core.handshake import MAY_ACCEPT, Action, Role

OWN = "OWN"
"""In `Change.current_organizations`: the account is in the organization that the handshake comes from."""


class Kind(StrEnum):
    """In what way the decision is another. The first that holds is always said; a later one where no other says it."""

    NEWLY_ACCEPTED = "NEWLY_ACCEPTED"
    NEWLY_DECLINED = "NEWLY_DECLINED"
    NO_LONGER_ACCEPTED = "NO_LONGER_ACCEPTED"
    NO_LONGER_DECLINED = "NO_LONGER_DECLINED"
    NEWLY_DENIED = "NEWLY_DENIED"
    NO_LONGER_DENIED = "NO_LONGER_DENIED"

    @property
    def widens(self) -> bool:
        """Whether the function would do what it does not do now."""
        return self in (Kind.NEWLY_ACCEPTED, Kind.NEWLY_DECLINED)


_KINDS = tuple(Kind)
_ALWAYS_SAID = 3  # kinds, from the first, that name all of their situations; the others, those that none before named


@dataclass(frozen=True, slots=True)
class Names:
    """Some ids, or all but some."""

    names: tuple[str, ...]
    all_but: bool = False


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of time, to the microsecond. Both ends belong to it; None where there is no end."""

    since: datetime | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Change:
    """One line: every situation in it is decided otherwise, in the way that `kind` says.

    A situation is in it if each field has it, and the account's role may accept the action at all (`MAY_ACCEPT`).
    """

    kind: Kind
    actions: tuple[Action, ...]
    organizations: Names
    management_accounts: Names
    current_organizations: Names
    """Of ids and `NONE`; or `OWN` alone."""
    roles: tuple[Role, ...]
    """The roles that an account can have which this is about."""
    times: tuple[Stretch, ...]
    sids_before: tuple[str, ...]
    """What decided it in the old policy, anywhere in this change: Allows if it was accepted, otherwise Denies."""
    sids_after: tuple[str, ...]
    """What decides it in the new policy."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Everything that is decided otherwise; nothing else is."""

    changes: tuple[Change, ...]

    @property
    def widen(self) -> bool:
        """Whether anything is newly accepted or newly declined."""
        return any(change.kind.widens for change in self.changes)


def compare(base: Policy, to: Policy) -> Changes:
    """What `to` decides otherwise than `base`."""
    space = _Space((base, to))
    regions = _regions(space.rules)
    found = (
        space.change(kind, box)
        for kind, (whole, unsaid) in zip(_KINDS, regions, strict=True)
        for box in space.joined_by_own(_lines(whole, unsaid, space.all_time))
    )
    return Changes(tuple(sorted(found, key=_place)))


def _place(change: Change) -> tuple[object, ...]:
    """Changes of a kind stand by origin, then action: what belongs together, together."""
    origin = (change.organizations, change.management_accounts)
    return (
        _KINDS.index(change.kind),
        *((names.all_but, names.names) for names in origin),
        [_ACTIONS.index(action) for action in change.actions],
        change.current_organizations.names,
        change.times[0].since or _FIRST,
    )


# -- boxes: (organizations, management accounts, actions, current organizations, stretches of time)

_Box = tuple[int, ...]
_ORGANIZATION, _MANAGEMENT, _ACTION, _CURRENT, _TIME = range(5)
_EVERYTHING = -1
_IN_NONE = 1  # the bit of NONE among current organizations
_IN_OWN = 0  # no set of organizations: the mark of a line for accounts in the origin's own
_ACTIONS = tuple(Action)
_ALL_ACTIONS = (1 << len(_ACTIONS)) - 1
_MOST_WIDENED = 60  # boxes of one kind; the time that it takes grows with their square


def _action_bits(actions: Iterable[Action]) -> int:
    return reduce(or_, (1 << _ACTIONS.index(action) for action in actions), 0)


_STANDALONE_MAY = _action_bits(action for action in _ACTIONS if Role.STANDALONE in MAY_ACCEPT[action])
_POSSIBLE = ((_STANDALONE_MAY, _EVERYTHING), (_ALL_ACTIONS & ~_STANDALONE_MAY, ~_IN_NONE))
"""Which actions are possible for accounts in which organizations. Nothing is ever accepted or declined elsewhere, so
that a box may hold impossible situations: they say nothing."""


def _possible_parts(box: _Box) -> Iterator[_Box]:
    """The box without what is impossible."""
    organization, management, actions, current, time = box
    for possible_actions, possible_current in _POSSIBLE:
        part = (organization, management, actions & possible_actions, current & possible_current, time)
        if all(part):
            yield part


def _trimmed(box: _Box) -> _Box:
    """The box without the values of which every situation is impossible."""
    parts = list(_possible_parts(box))
    actions, current = (reduce(or_, (part[axis] for part in parts)) for axis in (_ACTION, _CURRENT))
    return (*box[:_ACTION], actions, current, box[_TIME])


def _overlap(one: _Box, other: _Box) -> bool:
    return bool(
        one[0] & other[0] and one[1] & other[1] and one[2] & other[2] and one[3] & other[3] and one[4] & other[4]
    )


def _without(boxes: Iterable[_Box], hole: _Box) -> list[_Box]:
    """The boxes less the hole, in boxes that do not overlap if they did not."""
    left = []
    for box in boxes:
        if not _overlap(box, hole):
            left.append(box)
            continue
        inside: _Box = ()
        for axis, (values, taken) in enumerate(zip(box, hole, strict=True)):
            if values & ~taken:
                left.append((*inside, values & ~taken, *box[axis + 1 :]))
            inside = (*inside, values & taken)
    return left


def _bits(values: int) -> Iterator[int]:
    while values:
        lowest = values & -values
        yield lowest.bit_length() - 1
        values ^= lowest


# -- where the decision is another


_BASE, _TO, _BOTH = 1, 2, 3
_ALLOWS, _LEAVES_PENDING, _DECLINES = range(3)
_Rule = tuple[int, ...]
"""A box, what its statement does, and in which policies it stands. The axes are taken off one by one, from the left."""
_Rules = frozenset[_Rule]
_Region = tuple[_Box, ...]
_Regions = tuple[tuple[_Region, _Region], ...]
"""For each kind, all that is of it, and what of that no kind before it says."""
_NOWHERE: _Regions = (((), ()),) * len(_KINDS)


def _regions(rules: Iterable[_Rule]) -> _Regions:
    """Goes down axis by axis. Values to which the same rules apply are taken together.

    The rules of every organization are kept apart from the others: what they come to is found out once, not once more
    with each organization. Nor is anything else gone through again, from whichever rules it came.
    """
    known: dict[tuple[int, _Rules, _Rules], _Regions] = {}
    split = cache(_split)

    def below(axis: int, own: _Rules, common: _Rules) -> _Regions:
        if is_alike(own) and is_alike(common):
            return _NOWHERE
        if axis == _TIME:
            return tuple(
                (((whole,),) if whole else (), ((unsaid,),) if unsaid else ())
                for whole, unsaid in _decided(tuple(map(or_, effective(own), effective(common))))
            )
        if (axis, own, common) not in known:
            children = []
            own_split, common_split = split(axis, own), split(axis, common)
            for rest, values in own_split.items():
                for common_rest, common_values in common_split.items():
                    if both := values & common_values:
                        children.append((both, below(axis + 1, rest, common_rest)))
            known[axis, own, common] = tuple(
                (
                    _put_together((values, child[kind][0]) for values, child in children),
                    _put_together((values, child[kind][1]) for values, child in children),
                )
                for kind in range(len(_KINDS))
            )
        return known[axis, own, common]

    @cache
    def is_alike(rules: _Rules) -> bool:
        return all(rule[-1] == _BOTH for rule in rules)

    effective = cache(_effective)
    everything = frozenset(rules)
    common = frozenset(rule for rule in everything if rule[_ORGANIZATION] == _EVERYTHING)
    return below(_ORGANIZATION, everything - common, common)


def _split(axis: int, rules: _Rules) -> dict[_Rules, int]:
    """The values of this axis by the rules that apply to them, which have this axis taken off."""
    everywhere: set[_Rule] = set()
    at: defaultdict[int, set[_Rule]] = defaultdict(set)
    named = 0
    for values, *rest in rules:
        if values == _EVERYTHING:
            everywhere.add(tuple(rest))
        else:
            named |= values
            for bit in _bits(values):
                at[bit].add(tuple(rest))
    split: defaultdict[_Rules, int] = defaultdict(int)
    split[frozenset(everywhere)] = (_ALL_ACTIONS if axis == _ACTION else _EVERYTHING) & ~named
    for bit, found in at.items():
        split[frozenset(found | everywhere)] |= 1 << bit
    return split


def _put_together(found: Iterable[tuple[int, _Region]]) -> _Region:
    together: defaultdict[_Box, int] = defaultdict(int)
    for values, boxes in found:
        for box in boxes:
            together[box] |= values
    return tuple((values, *box) for box, values in together.items())


def _effective(rules: _Rules) -> tuple[int, ...]:
    """Only time is left: when something allows, leaves pending and declines, in the old policy and in the new."""
    when = [0] * 6
    for time, what, policies in rules:
        if policies & _BASE:
            when[what] |= time
        if policies & _TO:
            when[what + 3] |= time
    return tuple(when)


def _decided(when: Sequence[int]) -> Iterator[tuple[int, int]]:
    """For each kind, when it is so, and when no kind before it says it."""

    def decisions(allowed: int, left: int, declined: int) -> tuple[int, int, int]:
        """When it is accepted, declined and denied: as `decide` has it."""
        return allowed & ~(left | declined), declined & ~left, left | declined

    (was_accepted, was_declined, was_denied), (accepted, declined, denied) = decisions(*when[:3]), decisions(*when[3:])
    kinds = {
        Kind.NEWLY_ACCEPTED: accepted & ~was_accepted,
        Kind.NEWLY_DECLINED: declined & ~was_declined,
        Kind.NO_LONGER_ACCEPTED: was_accepted & ~accepted,
        Kind.NO_LONGER_DECLINED: was_declined & ~declined,
        Kind.NEWLY_DENIED: denied & ~was_denied,
        Kind.NO_LONGER_DENIED: was_denied & ~denied,
    }
    said = 0
    for number, kind in enumerate(_KINDS):
        yield kinds[kind], kinds[kind] if number < _ALWAYS_SAID else kinds[kind] & ~said
        said |= kinds[kind]


# -- few lines


def _lines(whole: _Region, unsaid: _Region, all_time: int) -> list[_Box]:
    """Boxes within `whole`, possibly overlapping, that leave nothing of `unsaid` out: few, and simple ones."""
    if not unsaid:
        return []
    boxes = _merged(whole)
    if len(boxes) <= _MOST_WIDENED:
        impossible = [(_EVERYTHING, _EVERYTHING, _ALL_ACTIONS & ~_STANDALONE_MAY, _IN_NONE, all_time)]
        boxes = [_widened(box, [*boxes, *impossible], all_time) for box in boxes]
    lines = list(dict.fromkeys(map(_trimmed, boxes)))
    needed = [part for box in unsaid for part in _possible_parts(box)]
    if len(lines) > _MOST_WIDENED:
        return [line for line in lines if any(_overlap(line, part) for part in needed)] if unsaid != whole else lines
    for line in sorted(lines, key=_size):
        mine: list[_Box] = [tuple(map(int.__and__, line, part)) for part in needed if _overlap(line, part)]
        for other in lines:
            if other != line:
                mine = _without(mine, other)
        if not mine:
            lines.remove(line)
    return lines


def _merged(boxes: Iterable[_Box]) -> list[_Box]:
    """Puts boxes together that differ in one axis alone, until there are none."""
    merged = [_trimmed(box) for box in boxes]
    while True:
        count = len(merged)
        for axis in (_CURRENT, _ACTION, _MANAGEMENT, _ORGANIZATION, _TIME):
            same: dict[_Box, _Box] = {}
            for box in merged:
                key = (*box[:axis], 0, *box[axis + 1 :])
                if axis == _ACTION:  # actions of which some are impossible for an account in none
                    key = (*key[:_CURRENT], key[_CURRENT] & ~_IN_NONE, key[_TIME])
                same[key] = tuple(map(int.__or__, same[key], box)) if key in same else box
            merged = list(same.values())
        if len(merged) == count:
            return merged


def _widened(box: _Box, covered: Sequence[_Box], all_time: int) -> _Box:
    """The box with as many values an axis as are covered."""
    full = (_EVERYTHING, _EVERYTHING, _ALL_ACTIONS, _EVERYTHING, all_time)
    for axis in (_CURRENT, _ACTION, _MANAGEMENT, _ORGANIZATION, _TIME):
        left = [(*box[:axis], full[axis], *box[axis + 1 :])]
        for each in covered:
            left = _without(left, each)
        bare = reduce(or_, (each[axis] for each in left), 0)
        box = (*box[:axis], full[axis] & ~bare, *box[axis + 1 :])
    return box


def _size(box: _Box) -> tuple[int, int]:
    """To be rid of small boxes first."""
    return sum(values < 0 for values in box), sum(values.bit_count() for values in box if values >= 0)


# -- from policies to boxes, and from boxes to changes


_MICROSECOND = timedelta(microseconds=1)
_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)


class _Space:
    """The values that either policy names, with a bit each."""

    def __init__(self, policies: tuple[Policy, Policy]) -> None:
        self._organizations: dict[str, int] = {NONE: 0}
        self._accounts: dict[str, int] = {}
        statements = [statement for policy in policies for statement in policy.statements]
        starts = {statement.not_before for statement in statements if statement.not_before}
        starts |= {each.not_after + _MICROSECOND for each in statements if each.not_after and each.not_after < _LAST}
        self._starts = sorted(starts | {_FIRST})
        self._stretches = cache(self._stretches_of)
        self.all_time = (1 << len(self._starts)) - 1
        by_policy = tuple(
            [(rule, statement) for statement in policy.statements for rule in self._rules(statement)]
            for policy in policies
        )
        policies_of: defaultdict[_Rule, int] = defaultdict(int)
        for policy, found in zip((_BASE, _TO), by_policy, strict=True):
            for box, statement in found:
                for organization, management, actions, current, time in _possible_parts(box):
                    # Of a part for accounts everywhere it says nothing whether an account in none is left out.
                    places = current if current > 0 else _EVERYTHING
                    policies_of[organization, management, actions, places, time, _what(statement)] |= policy
        self.rules: list[_Rule] = [(*rule, policy) for rule, policy in policies_of.items()]
        self._indexes = {
            (number, allows): _Index([(rule, each) for rule, each in found if (each.effect is Effect.ALLOW) is allows])
            for number, found in enumerate(by_policy)
            for allows in (True, False)
        }

    def _rules(self, statement: Statement) -> Iterator[_Box]:
        """The boxes in which a statement matches, by `decide`'s defaults for the current organization."""
        organizations = _mask(self._organizations, statement.organization_ids)
        accounts = _mask(self._accounts, statement.management_account_ids)
        actions = statement.actions or frozenset(_ACTIONS)
        time = self._time(statement)
        current = statement.current_organizations
        if current or statement.effect is Effect.DENY:
            places = _EVERYTHING if ANY in current else _mask(self._organizations, current)
            yield organizations, accounts, _action_bits(actions), places, time
            return
        if Action.INVITE in actions:
            yield organizations, accounts, _action_bits({Action.INVITE}), _IN_NONE, time
        if others := _action_bits(actions - {Action.INVITE, Action.TRANSFER_RESPONSIBILITY}):
            for bit in _bits(organizations):
                yield 1 << bit, accounts, others, 1 << bit, time

    def _time(self, statement: Statement) -> int:
        first = bisect_right(self._starts, statement.not_before or _FIRST) - 1
        last = bisect_right(self._starts, statement.not_after or _LAST)
        return (1 << last) - (1 << first)

    def joined_by_own(self, boxes: Iterable[_Box]) -> Iterator[_Box]:
        """Joins those that have each one organization, and are for accounts in just that one."""
        own: defaultdict[_Box, list[int]] = defaultdict(list)
        for box in boxes:
            organization, management, actions, current, time = box
            if organization == current > 0 and organization.bit_count() == 1:
                own[management, actions, time].append(organization)
            else:
                yield box
        for (management, actions, time), found in own.items():
            current = found[0] if len(found) == 1 else _IN_OWN
            yield reduce(or_, found), management, actions, current, time

    def change(self, kind: Kind, box: _Box) -> Change:
        """The box in words."""
        organization, management, actions, current, time = box
        named = tuple(action for action in _ACTIONS if actions & _action_bits({action}))
        return Change(
            kind=kind,
            actions=named,
            organizations=_names(self._organizations, organization),
            management_accounts=_names(self._accounts, management),
            current_organizations=_names(self._organizations, current) if current else Names((OWN,)),
            roles=_roles(named, current),
            times=self._stretches(time),
            sids_before=self._sids(0, box, allows=kind is Kind.NO_LONGER_ACCEPTED),
            sids_after=self._sids(1, box, allows=kind is Kind.NEWLY_ACCEPTED),
        )

    def _stretches_of(self, time: int) -> tuple[Stretch, ...]:
        found = []
        while time:
            first = next(_bits(time))
            end = next(_bits(~time >> first)) + first
            until = self._starts[end] - _MICROSECOND if end < len(self._starts) else None
            found.append(Stretch(self._starts[first] if first else None, until))
            time &= _EVERYTHING << end
        return tuple(found)

    def _sids(self, policy: int, box: _Box, *, allows: bool) -> tuple[str, ...]:
        """The statements of the policy that match anywhere in the box."""
        if box[_CURRENT] == _IN_OWN:
            parts = [(1 << bit, *box[1:_CURRENT], 1 << bit, box[_TIME]) for bit in _bits(box[_ORGANIZATION])]
        else:
            parts = list(_possible_parts(box))
        near = self._indexes[policy, allows].near
        found = {each.sid for part in parts for rule, each in near(part[_ORGANIZATION]) if _overlap(rule, part)}
        return tuple(sorted(found))


class _Index:
    """Finds the statements that may match, by organization, as `Policy` does."""

    def __init__(self, rules: list[tuple[_Box, Statement]]) -> None:
        self._all = rules
        self._everywhere = [rule for rule in rules if rule[0][_ORGANIZATION] < 0]
        self._at: defaultdict[int, list[tuple[_Box, Statement]]] = defaultdict(list)
        for rule in rules:
            if rule[0][_ORGANIZATION] >= 0:
                for bit in _bits(rule[0][_ORGANIZATION]):
                    self._at[bit].append(rule)

    def near(self, organizations: int) -> Iterator[tuple[_Box, Statement]]:
        if organizations < 0:
            yield from self._all
            return
        yield from self._everywhere
        for bit in _bits(organizations):
            yield from self._at.get(bit, ())


def _what(statement: Statement) -> int:
    if statement.effect is Effect.ALLOW:
        return _ALLOWS
    return _DECLINES if statement.respond is Respond.DECLINE else _LEAVES_PENDING


def _mask(known: dict[str, int], names: Iterable[str]) -> int:
    """The set of these names; of everything if there are none."""
    return reduce(or_, (1 << known.setdefault(name, len(known)) for name in names), 0) or _EVERYTHING


def _names(known: dict[str, int], values: int) -> Names:
    every = list(known)
    return Names(tuple(sorted(every[bit] for bit in _bits(values if values >= 0 else ~values))), values < 0)


def _roles(actions: Iterable[Action], current: int) -> tuple[Role, ...]:
    """The roles of accounts in these organizations that may accept one of these actions."""
    there = {Role.STANDALONE} if current & _IN_NONE else set()
    if current == _IN_OWN or current & ~_IN_NONE:
        there |= {Role.MEMBER, Role.MANAGEMENT}
    return tuple(role for role in Role if role in there and any(role in MAY_ACCEPT[action] for action in actions))


# -- sentences

_SHOWN = 10  # values that a sentence spells out; a Change has all


def sentences(changes: Changes) -> list[str]:
    """One line a change, for people. What a line does not restrict, it is about all of."""
    return [_sentence(change) for change in changes.changes]


def _sentence(change: Change) -> str:
    conditions = ", ".join(part for part in (_for_whom(change), _or(list(map(_when, change.times)))) if part)
    why = "; ".join(part for part in _why(change) if part)
    line = f"{change.kind.lower().replace('_', ' ')}: {_what_for(change)} {_from(change)}"
    return line + (f", {conditions}" if conditions else "") + (f" ({why})" if why else "")


def _what_for(change: Change) -> str:
    others = [action for action in _ACTIONS if action not in change.actions]
    if len(others) > 1:
        return _or(change.actions)
    return f"every action other than {others[0]}" if others else "every action"


def _from(change: Change) -> str:
    organizations, accounts = change.organizations, change.management_accounts
    if organizations == accounts == Names((), all_but=True):
        return "from any origin"
    return f"from {_one_of(organizations, 'organization')} of {_one_of(accounts, 'management account')}"


def _for_whom(change: Change) -> str:
    current = change.current_organizations
    only = change.roles[0] if len(change.roles) == 1 else None
    who = {Role.MEMBER: "a member of", Role.MANAGEMENT: "the management account of"}.get(only or Role.UNKNOWN)
    if current.names == (OWN,):
        return f"for {who or 'an account in'} the origin's own organization"
    if current == Names((), all_but=True):
        return ""
    in_none = Role.STANDALONE in change.roles
    organizations = Names(tuple(name for name in current.names if name != NONE), current.all_but)
    if in_none and not current.all_but:
        return f"for an account in {_or(['none', *organizations.names])}"
    where = _one_of(organizations, "organization")
    return f"for {who or 'an account in'} {'none or ' if in_none else ''}{where}"


def _when(stretch: Stretch) -> str:
    """Both ends belong to it; after or before a whole second reads better than the microsecond next to it."""
    since, until = stretch.since, stretch.until
    if since is not None and since == until:
        return f"at {_time(since)}"
    parts = []
    if since is not None:
        after = since - _MICROSECOND
        parts.append(f"from {_time(since)}" if after.microsecond else f"after {_time(after)}")
    if until is not None:
        before = until + _MICROSECOND
        parts.append(f"until {_time(until)}" if before.microsecond else f"before {_time(before)}")
    return (" and " if parts[1:] and not parts[1].startswith("until") else " ").join(parts)


def _why(change: Change) -> Iterator[str]:
    before, after = _and(change.sids_before), _and(change.sids_after)
    match change.kind:
        case Kind.NEWLY_ACCEPTED:
            yield f"allowed by {after}"
            yield before and f"until now denied by {before}"
        case Kind.NO_LONGER_ACCEPTED:
            yield f"until now allowed by {before}"
            yield after and f"denied by {after}"
        case Kind.NEWLY_DECLINED:
            yield f"declined by {after}"
            yield before and f"until now denied by {before}"
        case _:
            yield after and f"denied by {after}"
            yield before and f"until now denied by {before}"


def _one_of(names: Names, thing: str) -> str:
    if not names.all_but:
        return _or(names.names)
    return f"any {thing} other than {_or(names.names)}" if names.names else f"any {thing}"


def _listed(names: Sequence[str], word: str) -> str:
    shown = list(names[:_SHOWN])
    if len(names) > _SHOWN:
        shown.append(f"{len(names) - _SHOWN} more")
    return f" {word} ".join(part for part in (", ".join(shown[:-1]), *shown[-1:]) if part)


_or, _and = partial(_listed, word="or"), partial(_listed, word="and")


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
