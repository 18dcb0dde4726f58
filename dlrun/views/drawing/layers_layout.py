"""A layered layout of one level: nodes in ranks from top to bottom, after Sugiyama, Tagawa and Toda (1981).

Nodes keep their order unless another has fewer crossings; a chain is straight; an edge over several ranks gets a lane
of its own, and lanes of skips are at the right, the longest outermost.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from dlrun.views.drawing.settling import settle

Point = tuple[float, float]
NODE_GAP, LANE_GAP = 22.0, 13.0
STRAIGHT, LEAST_GAP, MOST_GAP = 24.0, 6.0, 46.0
"""The least length of a straight edge, with its tail; the least and the largest distance of ranks."""
ARRIVAL = 8.0
"""The length of the last part of an edge, which is straight."""
SWEEPS = 6
ASIDE = 4
"""A branch is drawn aside, as a skip is, where its last edge goes over this many ranks."""
SKIP_PULL = 0.02
"""How hard a skip pulls its ends together; an edge from rank to rank has 1."""


@dataclass(slots=True)
class LayoutNode:
    """A rectangle around its anchor, the x at which the main edge comes in."""

    left: float
    right: float
    height: float
    tail: float = 0.0
    """The part of the height, at the bottom, that has nothing but the edge."""
    fixed: Literal["", "first", "last"] = ""
    """Whether it must be in the first rank, as a way in, or in the last, as a way out."""


@dataclass(slots=True)
class Link:
    """An edge from the bottom of one node to the top of another, at distances from their anchors."""

    source: int
    target: int
    out: float = 0.0
    into: float = 0.0


@dataclass(slots=True)
class Arranged:
    """Where everything is; x is a node's anchor, y its top."""

    x: list[float]
    y: list[float]
    width: float
    height: float
    routes: list[list[Point]]
    """For each link its points from the top down; it is a curve between two that are not above each other."""


@dataclass(slots=True)
class _Cell:
    """A node or one point of a lane, in a rank."""

    node: int | None
    rank: int
    left: float = 0.0
    right: float = 0.0
    skip: bool = False
    """Whether it is a lane or a node beside a main path; nothing is centred on it."""
    place: int = 0


@dataclass(slots=True)
class _Step:
    """A link between cells of neighbouring ranks."""

    above: int
    below: int
    out: float
    into: float
    weight: float


@dataclass(slots=True)
class _Net:
    cells: list[_Cell] = field(default_factory=list)
    steps: dict[tuple[int, int, float, float], _Step] = field(default_factory=dict)
    paths: list[list[_Step]] = field(default_factory=list)
    """The steps of each link, from the top down."""


def arrange(nodes: list[LayoutNode], links: list[Link]) -> Arranged:
    """Place nodes and route links; links go from lower to higher numbers."""
    ranks = _ranks(nodes, links)
    net = _net(nodes, links, ranks)
    rows = _ordered(net)
    x = _across(net, rows)
    return _arranged(nodes, links, net, rows, x)


def _ranks(nodes: list[LayoutNode], links: list[Link]) -> list[int]:
    """Each node's longest path from the top; a node with nothing above it is right above its nearest target."""
    top = int(any(node.fixed == "first" for node in nodes))
    ranks = [0 if node.fixed == "first" else top for node in nodes]
    for link in sorted(links, key=lambda link: link.source):
        ranks[link.target] = max(ranks[link.target], ranks[link.source] + 1)
    below: dict[int, int] = {}
    for link in links:
        below[link.source] = min(below.get(link.source, ranks[link.target]), ranks[link.target])
    fed = {link.target for link in links}
    for number, node in enumerate(nodes):
        if not node.fixed and number not in fed and number in below:
            ranks[number] = below[number] - 1
    bottom = max((rank for rank, node in zip(ranks, nodes, strict=True) if node.fixed != "last"), default=0) + 1
    return [bottom if node.fixed == "last" else rank for rank, node in zip(ranks, nodes, strict=True)]


def _net(nodes: list[LayoutNode], links: list[Link], ranks: list[int]) -> _Net:
    """Nodes and lanes as cells; the links of one value share its lane as far as they go together."""
    aside = _aside(links, ranks)
    net = _Net([_Cell(n, ranks[n], node.left, node.right, n in aside) for n, node in enumerate(nodes)])
    users: dict[int, int] = {}
    for link in links:
        users[link.source] = users.get(link.source, 0) + 1
    lanes: dict[tuple[int, float, int], int] = {}
    for link in links:
        skip = users[link.source] > 1 or nodes[link.source].fixed == "first" or link.source in aside
        path: list[_Step] = []
        above, out = link.source, link.out
        for rank in range(ranks[link.source] + 1, ranks[link.target]):
            key = (link.source, link.out, rank)
            if key not in lanes:
                lanes[key] = len(net.cells)
                net.cells.append(_Cell(None, rank, skip=skip))
            path.append(_step(net, above, lanes[key], out, 0.0))
            above, out = lanes[key], 0.0
        path.append(_step(net, above, link.target, out, link.into))
        net.paths.append(path)
    return net


def _aside(links: list[Link], ranks: list[int]) -> set[int]:
    """The nodes of branches that mostly pass other nodes, such as the crop in a U-Net's skip."""
    into: dict[int, list[int]] = {}
    out: dict[int, list[int]] = {}
    for link in links:
        into.setdefault(link.target, []).append(link.source)
        out.setdefault(link.source, []).append(link.target)
    found: set[int] = set()
    for node in sorted(out, reverse=True):
        if len(out[node]) == 1 and len(into.get(node, ())) == 1:
            (target,) = out[node]
            if target in found or ranks[target] - ranks[node] >= ASIDE:
                found.add(node)
    return found


def _step(net: _Net, above: int, below: int, out: float, into: float) -> _Step:
    skip = net.cells[above].skip or net.cells[below].skip
    key = (above, below, out, into)
    return net.steps.setdefault(key, _Step(above, below, out, into, SKIP_PULL if skip else 1.0))


def _ordered(net: _Net) -> list[list[int]]:
    """The cells of each rank from left to right, with few crossings."""
    rows: list[list[int]] = [[] for _ in range(max(cell.rank for cell in net.cells) + 1)]
    for number, cell in enumerate(net.cells):
        rows[cell.rank].append(number)
    above: list[list[int]] = [[] for _ in net.cells]
    below: list[list[int]] = [[] for _ in net.cells]
    for step in net.steps.values():
        above[step.below].append(step.above)
        below[step.above].append(step.below)
    _place(net, rows)
    for row in rows:
        _sort(net, row, above)
    best, least = [list(row) for row in rows], _crossings(net, rows, below)
    for sweep in range(SWEEPS):
        if not least:
            break
        for row in reversed(rows) if sweep % 2 == 0 else rows:
            _sort(net, row, below if sweep % 2 == 0 else above)
        count = _crossings(net, rows, below)
        if count < least:
            best, least = [list(row) for row in rows], count
    _place(net, best)
    return best


def _place(net: _Net, rows: list[list[int]]) -> None:
    for row in rows:
        for place, number in enumerate(row):
            net.cells[number].place = place


def _sort(net: _Net, row: list[int], near: list[list[int]]) -> None:
    """Sort a rank by the mean place of the cells' neighbours; where it is equal, skips are at the right."""

    def wanted(number: int) -> tuple[float, bool, int]:
        cell, others = net.cells[number], near[number]
        mean = sum(net.cells[other].place for other in others) / len(others) if others else float(cell.place)
        return mean, cell.skip, number if cell.node is not None or not cell.skip else -number

    row.sort(key=wanted)
    for place, number in enumerate(row):
        net.cells[number].place = place


def _crossings(net: _Net, rows: list[list[int]], below: list[list[int]]) -> int:
    count = 0
    for row in rows:
        ends: list[int] = []
        for number in row:
            mine = sorted(net.cells[other].place for other in below[number])
            count += sum(other > one for one in mine for other in ends)
            ends += mine
    return count


def _across(net: _Net, rows: list[list[int]]) -> list[float]:
    """The x of every cell: cells in a straight line move as one."""
    column, offset = _columns(net)
    count = max(column) + 1
    right_of: list[dict[int, float]] = [{} for _ in range(count)]
    left_of: list[dict[int, float]] = [{} for _ in range(count)]
    for row in rows:
        for a, b in pairwise(row):
            one, two = net.cells[a], net.cells[b]
            lanes = (one.node is None) + (two.node is None)
            gap = NODE_GAP - lanes * (NODE_GAP - LANE_GAP) / 2
            least = offset[a] + one.right + gap + two.left - offset[b]
            right_of[column[a]][column[b]] = max(least, right_of[column[a]].get(column[b], least))
            left_of[column[b]][column[a]] = right_of[column[a]][column[b]]
    springs: list[list[tuple[int, float, float]]] = [[] for _ in range(count)]
    for step in net.steps.values():
        a, b = column[step.above], column[step.below]
        if a != b:
            shift = offset[step.above] + step.out - offset[step.below] - step.into
            springs[b].append((a, shift, step.weight))
            springs[a].append((b, -shift, step.weight))
    rest = settle(right_of, left_of, springs)
    return [rest[column[number]] + offset[number] for number in range(len(net.cells))]


def _columns(net: _Net) -> tuple[list[int], list[float]]:
    """The column of each cell, and the cell's distance from the column's x."""
    column = list(range(len(net.cells)))
    offset = [0.0] * len(net.cells)
    above: dict[int, int] = {}
    below: dict[int, int] = {}
    for step in net.steps.values():
        if step.weight == 1.0:
            above[step.below] = above.get(step.below, 0) + 1
            below[step.above] = below.get(step.above, 0) + 1
    taken: list[list[tuple[int, int]]] = [[] for _ in range(max(cell.rank for cell in net.cells) + 1)]

    def straight(step: _Step) -> bool:
        if step.weight == 1.0:
            return above[step.below] == 1 and below[step.above] == 1
        return net.cells[step.above].skip and net.cells[step.below].skip

    in_line = [step for step in net.steps.values() if straight(step)]
    in_line.sort(key=lambda step: (net.cells[step.above].rank, -step.weight))
    for step in in_line:
        one, two = net.cells[step.above], net.cells[step.below]
        if any((one.place - a) * (two.place - b) <= 0 for a, b in taken[one.rank]):
            continue
        taken[one.rank].append((one.place, two.place))
        column[step.below] = column[step.above]
        offset[step.below] = offset[step.above] + step.out - step.into
    numbers = {old: new for new, old in enumerate(dict.fromkeys(column))}
    return [numbers[old] for old in column], offset


def _arranged(nodes: list[LayoutNode], links: list[Link], net: _Net, rows: list[list[int]], x: list[float]) -> Arranged:
    leftmost = min(x[number] - cell.left for number, cell in enumerate(net.cells))
    x = [value - leftmost for value in x]
    width = max(x[number] + cell.right for number, cell in enumerate(net.cells))
    heights = [max((nodes[n].height for c in row if (n := net.cells[c].node) is not None), default=0.0) for row in rows]
    gaps = [0.0] * len(rows)
    for step in net.steps.values():
        rank = net.cells[step.above].rank
        gaps[rank] = max(gaps[rank], _gap(nodes, net, step, abs(x[step.above] + step.out - x[step.below] - step.into)))
    tops = [0.0]
    for height, gap in zip(heights, gaps, strict=True):
        tops.append(tops[-1] + height + gap)
    total = tops[len(rows) - 1] + heights[-1]
    y = [tops[cell.rank] + (heights[cell.rank] - node.height) / 2 for node, cell in zip(nodes, net.cells, strict=False)]
    routes: list[list[Point]] = []
    for link, path in zip(links, net.paths, strict=True):
        points: list[Point] = [(x[link.source] + link.out, y[link.source] + nodes[link.source].height)]
        for step in path:
            rank = net.cells[step.above].rank
            points.append((x[step.above] + step.out, tops[rank] + heights[rank]))
            points.append((x[step.below] + step.into, tops[rank + 1] - (ARRIVAL if step is path[-1] else 0.0)))
        points.append((x[link.target] + link.into, y[link.target]))
        routes.append(points)
    return Arranged(x[: len(nodes)], y, width, total, routes)


def _gap(nodes: list[LayoutNode], net: _Net, step: _Step, swing: float) -> float:
    """How far apart the ranks must be for this step."""
    above, below = net.cells[step.above].node, net.cells[step.below].node
    tail = nodes[above].tail if above is not None else STRAIGHT
    ends = below is None or nodes[below].fixed == "last"
    least = LEAST_GAP if ends else max(ARRIVAL + 2, STRAIGHT - tail)
    return least if swing < 0.1 else min(MOST_GAP, max(least, ARRIVAL + 14 + swing / 8))
