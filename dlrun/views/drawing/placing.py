"""Picture -> Placed: where every box, frame, edge and label is. Frames are laid out from the inside out."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from dlrun.views.drawing.layers_layout import Arranged, LayoutNode, Link, Point, arrange
from dlrun.views.drawing.picture import Box, Edge, Frame, Picture
from dlrun.views.drawing.text_width import text_width

FIRST_SIZE, LINE_SIZE, LABEL_SIZE, TITLE_SIZE = 12.0, 10.5, 10.0, 11.0
FIRST_HEIGHT, LINE_HEIGHT = 24.0, 18.0
LABEL_HEIGHT, TITLE_HEIGHT = 17.0, 24.0
LABEL_SHIFT = 6.0
SIDE, PAD, MARGIN, FOOT = 12.0, 14.0, 16.0, 10.0
NARROWEST = 64.0
SHEET = 3.0
"""How far each sheet behind a repeated box is shifted."""


@dataclass(frozen=True, slots=True)
class Rectangle:
    """From its upper left corner."""

    x: float
    y: float
    width: float
    height: float


@dataclass(slots=True)
class Placed:
    """The picture with every coordinate."""

    width: float
    height: float
    boxes: dict[str, Rectangle] = field(default_factory=dict)
    frames: dict[str, Rectangle] = field(default_factory=dict)
    labels: dict[str, Rectangle] = field(default_factory=dict)
    """The shapes, by the box that they come out of."""
    titles: dict[str, Rectangle] = field(default_factory=dict)
    """The frames' titles, by frame."""
    badges: dict[str, Rectangle] = field(default_factory=dict)
    """The number of repeats, beside each repeated box."""
    edges: dict[Edge, list[Point]] = field(default_factory=dict)
    """Points from the top down; between two that are not above each other the edge is a curve."""
    own: dict[Edge, list[Point]] = field(default_factory=dict)
    """The part of each edge that no edge before it has drawn: edges of one value begin as one line."""


@dataclass(slots=True)
class _Level:
    """The inside of one frame."""

    frame: Frame
    places: dict[str, int]
    """The node of each child, by its id."""
    incoming: dict[str, int] = field(default_factory=dict)
    """The node at the upper border by which each box's value comes in."""
    outgoing: dict[str, int] = field(default_factory=dict)
    """The node at the lower border by which each box's value goes out."""
    links: dict[tuple[str, int, int], int] = field(default_factory=dict)
    """(box whose value it is, from, to) -> number of the link."""
    wanted: dict[tuple[str, str, str], None] = field(default_factory=dict)
    """(box whose value it is, from child, to child); an empty text is the border."""
    arranged: Arranged | None = None
    left: float = 0.0
    """Where the arranged inside begins, from the frame's own left."""
    top: float = 0.0
    width: float = 0.0
    height: float = 0.0


def place(picture: Picture) -> Placed:
    """Work out where everything is."""
    return _Placer(picture).placed()


class _Placer:
    def __init__(self, picture: Picture):
        self.picture = picture
        self.above: dict[str, tuple[Frame, ...]] = {}
        self.levels: dict[str, _Level] = {}
        self.widths: dict[str, float] = {}
        self.below = {box.id: _below(box) for box in picture.root.boxes()}
        self.paths: dict[Edge, list[tuple[str, tuple[str, str, str]]]] = {}
        self._enter(picture.root, ())
        for edge in picture.edges:
            self._add_path(edge)

    def placed(self) -> Placed:
        self._arrange(self.picture.root)
        root = self.levels[self.picture.root.id]
        placed = Placed(root.width, root.height)
        origins: dict[str, Point] = {}
        self._place_children(self.picture.root, (0.0, 0.0), placed, origins)
        drawn: set[tuple[str, Point, Point]] = set()
        for edge, pieces in self.paths.items():
            points: list[Point] = []
            for frame, wanted in pieces:
                points += self._route(frame, wanted, origins[frame])
            placed.edges[edge] = _straightened(points)
            steps = [(edge.source, *step) for step in pairwise(points)]
            new = next((at for at, step in enumerate(steps) if step not in drawn), len(steps) - 1)
            drawn.update(steps)
            placed.own[edge] = _straightened(points[new:])
        return placed

    def _enter(self, frame: Frame, above: tuple[Frame, ...]) -> None:
        above = (*above, frame)
        self.levels[frame.id] = _Level(frame, {})
        uniform = [_text_box_width(c) for c in frame.children if isinstance(c, Box) and _is_uniform(c)]
        widest = max(uniform, default=0.0)
        for child in frame.children:
            if isinstance(child, Box):
                self.above[child.id] = above
                self.widths[child.id] = widest if _is_uniform(child) else _text_box_width(child)
            else:
                self._enter(child, above)

    def _add_path(self, edge: Edge) -> None:
        """Work out the frames that an edge goes through, from where to where in each."""
        up, down = self.above[edge.source], self.above[edge.target]
        common = 0
        while common < min(len(up), len(down)) and up[common] is down[common]:
            common += 1
        pieces: list[tuple[str, tuple[str, str, str]]] = []
        inner = edge.source
        for frame in reversed(up[common:]):
            pieces.append((frame.id, (edge.source, inner, "")))
            inner = frame.id
        outer = [*(frame.id for frame in down[common:]), edge.target]
        pieces.append((up[common - 1].id, (edge.source, inner, outer[0])))
        for frame, target in zip(down[common:], outer[1:], strict=True):
            pieces.append((frame.id, (edge.source, "", target)))
        self.paths[edge] = pieces
        for frame, wanted in pieces:
            self.levels[frame].wanted[wanted] = None

    def _arrange(self, frame: Frame) -> None:
        level = self.levels[frame.id]
        for child in frame.children:
            if isinstance(child, Frame):
                self._arrange(child)
        nodes: list[LayoutNode] = []
        for value, source, _ in level.wanted:
            if not source and value not in level.incoming:
                level.incoming[value] = len(nodes)
                nodes.append(LayoutNode(3.0, 3.0, TITLE_HEIGHT, TITLE_HEIGHT, "first"))
        for child in frame.children:
            level.places[child.id] = len(nodes)
            nodes.append(self._node(child))
        for value, _, target in level.wanted:
            if not target and value not in level.outgoing:
                level.outgoing[value] = len(nodes)
                nodes.append(LayoutNode(3.0, 3.0, FOOT, FOOT, "last"))
        links: list[Link] = []
        for value, source, target in level.wanted:
            start = level.places[source] if source else level.incoming[value]
            end = level.places[target] if target else level.outgoing[value]
            level.links[value, start, end] = len(links)
            links.append(Link(start, end, self._port(source, value, False), self._port(target, value, True)))
        level.arranged = arrange(nodes, links)
        self._size(level)

    def _size(self, level: _Level) -> None:
        arranged = level.arranged
        assert arranged is not None
        if level.frame is self.picture.root:
            level.left = level.top = MARGIN
            level.width, level.height = arranged.width + 2 * MARGIN, arranged.height + 2 * MARGIN
            return
        title = text_width(level.frame.title, TITLE_SIZE, bold=True)
        ports = [arranged.x[node] for node in level.incoming.values()]
        level.left = max(PAD, 10 + title + 8 - min(ports)) if ports else PAD
        level.top = 0.0 if level.incoming else TITLE_HEIGHT
        level.width = max(level.left + arranged.width + PAD, title + 20)
        level.height = level.top + arranged.height + (0.0 if level.outgoing else FOOT)

    def _node(self, child: Box | Frame) -> LayoutNode:
        if isinstance(child, Frame):
            level = self.levels[child.id]
            anchor = self._anchor(level)
            return LayoutNode(anchor, level.width - anchor, level.height, FOOT)
        half = self.widths[child.id] / 2
        label = LABEL_SHIFT + text_width(child.shape, LABEL_SIZE) + 4 if child.shape else 0.0
        under = _below(child)
        return LayoutNode(half, max(half + badge_width(child), label), _box_height(child) + under, under)

    def _anchor(self, level: _Level) -> float:
        assert level.arranged is not None
        borders = [*level.incoming.values(), *level.outgoing.values()]
        return level.left + level.arranged.x[borders[0]] if borders else level.width / 2

    def _port(self, child: str, value: str, into: bool) -> float:
        """Where a value enters or leaves a child, from the child's anchor."""
        if child not in self.levels:
            return 0.0
        level = self.levels[child]
        assert level.arranged is not None
        node = (level.incoming if into else level.outgoing)[value]
        return level.left + level.arranged.x[node] - self._anchor(level)

    def _place_children(self, frame: Frame, origin: Point, placed: Placed, origins: dict[str, Point]) -> None:
        level = self.levels[frame.id]
        assert level.arranged is not None
        inside = (origin[0] + level.left, origin[1] + level.top)
        origins[frame.id] = inside
        for child in frame.children:
            node = level.places[child.id]
            x, y = inside[0] + level.arranged.x[node], inside[1] + level.arranged.y[node]
            if isinstance(child, Frame):
                own = self.levels[child.id]
                corner = (x - self._anchor(own), y)
                placed.frames[child.id] = Rectangle(*corner, own.width, own.height)
                width = text_width(child.title, TITLE_SIZE, bold=True)
                placed.titles[child.id] = Rectangle(corner[0] + 10, corner[1] + 4, width, TITLE_SIZE + 4)
                self._place_children(child, corner, placed, origins)
                continue
            width, height = self.widths[child.id], _box_height(child)
            placed.boxes[child.id] = Rectangle(x - width / 2, y, width, height)
            if child.times > 1:
                shadow = badge_width(child)
                placed.badges[child.id] = Rectangle(x + width / 2, y, shadow, height)
            if child.shape:
                width = text_width(child.shape, LABEL_SIZE)
                placed.labels[child.id] = Rectangle(
                    x + LABEL_SHIFT, y + height + _sheets(child) + 2, width, LABEL_HEIGHT - 4
                )

    def _route(self, frame: str, wanted: tuple[str, str, str], origin: Point) -> list[Point]:
        level = self.levels[frame]
        assert level.arranged is not None
        value, source, target = wanted
        start = level.places[source] if source else level.incoming[value]
        end = level.places[target] if target else level.outgoing[value]
        points = [(x + origin[0], y + origin[1]) for x, y in level.arranged.routes[level.links[value, start, end]]]
        if not source:
            points.insert(0, (points[0][0], points[0][1] - TITLE_HEIGHT))
        elif source in self.below:
            points.insert(0, (points[0][0], points[0][1] - self.below[source]))
        if not target:
            points.append((points[-1][0], points[-1][1] + FOOT))
        return points


def _straightened(points: list[Point]) -> list[Point]:
    """Without the points inside straight lines."""
    kept: list[Point] = []
    for point in points:
        if len(kept) > 1 and abs(kept[-1][0] - point[0]) < 0.1 and abs(kept[-2][0] - point[0]) < 0.1:
            kept.pop()
        kept.append(point)
    return kept


def _sheets(box: Box) -> float:
    return 2 * SHEET if box.times > 1 else 0.0


def _below(box: Box) -> float:
    """The height under a box before its edge may curve: the sheets behind it, and its label."""
    return _sheets(box) + (LABEL_HEIGHT if box.shape else 0.0)


def badge_text(box: Box) -> str:
    """``× 3``."""
    return f"× {box.times}"


def badge_width(box: Box) -> float:
    """The width of the badge at the right of the box, with the sheets behind the box."""
    return _sheets(box) + 6 + text_width(badge_text(box), FIRST_SIZE, bold=True) if box.times > 1 else 0.0


def _is_uniform(box: Box) -> bool:
    return box.style not in ("ends", "merge", "shape")


def _text_box_width(box: Box) -> float:
    first, *rest = (text for text, _ in box.lines)
    widths = [text_width(first, FIRST_SIZE, bold=True), *(text_width(text, LINE_SIZE) for text in rest)]
    return max(max(widths) + 2 * SIDE, NARROWEST)


def _box_height(box: Box) -> float:
    return FIRST_HEIGHT + LINE_HEIGHT * (len(box.lines) - 1)
