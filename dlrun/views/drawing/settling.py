"""Columns with springs between them: where they come to rest, with a least distance between neighbours."""

from __future__ import annotations

from collections.abc import Iterator

MAX_ROUNDS = 80
"""Rounds of moving every column; fewer where nothing moves any more."""


def settle(
    right_of: list[dict[int, float]], left_of: list[dict[int, float]], springs: list[list[tuple[int, float, float]]]
) -> list[float]:
    """The x of each column where it comes to rest between its springs, with the least distances kept."""
    order = _from_the_left(right_of, left_of)
    x = [0.0] * len(order)
    for one in order:
        x[one] = max((x[other] + least for other, least in left_of[one].items()), default=0.0)
    for number in range(MAX_ROUNDS if len(order) > 1 else 0):
        moved = 0.0
        for one in order if number % 2 else reversed(order):
            if springs[one]:
                moved = max(moved, _move([one], x, right_of, left_of, springs))
        for group in _touching(order, x, right_of):
            if len(group) > 1:
                moved = max(moved, _move(group, x, right_of, left_of, springs))
        if moved < 0.01:
            break
    return x


def _move(
    group: list[int],
    x: list[float],
    right_of: list[dict[int, float]],
    left_of: list[dict[int, float]],
    springs: list[list[tuple[int, float, float]]],
) -> float:
    """Move columns together to where their springs pull them, as far as there is room; returns how far."""
    inside = set(group)
    pull = weight = 0.0
    least, most = -1e9, 1e9
    for one in group:
        for other, shift, strength in springs[one]:
            if other not in inside:
                pull += strength * (x[other] + shift - x[one])
                weight += strength
        least = max(least, *(x[o] + gap - x[one] for o, gap in left_of[one].items() if o not in inside), -1e9)
        most = min(most, *(x[o] - gap - x[one] for o, gap in right_of[one].items() if o not in inside), 1e9)
    if not weight:
        return 0.0
    by = min(max(pull / weight, min(least, 0.0)), max(most, 0.0))
    for one in group:
        x[one] += by
    return abs(by)


def _from_the_left(right_of: list[dict[int, float]], left_of: list[dict[int, float]]) -> list[int]:
    waiting = [len(others) for others in left_of]
    ready = [one for one, count in enumerate(waiting) if not count]
    for one in ready:
        for other in right_of[one]:
            waiting[other] -= 1
            if not waiting[other]:
                ready.append(other)
    return ready


def _touching(order: list[int], x: list[float], right_of: list[dict[int, float]]) -> Iterator[list[int]]:
    """Groups of columns that are at their least distance."""
    group_of = {one: [one] for one in order}
    for one in order:
        for other, gap in right_of[one].items():
            if x[other] - x[one] - gap < 0.01 and group_of[one] is not group_of[other]:
                joined = group_of[one]
                joined += group_of[other]
                for member in group_of[other]:
                    group_of[member] = joined
    seen: set[int] = set()
    for group in group_of.values():
        if id(group) not in seen:
            seen.add(id(group))
            yield group
