"""The semantics of RefScenes: which objects of a scene an expression denotes.

Every word has a *wide* sense (whatever a patient reader might still count in) and a *clear* sense
(what nobody would dispute), clear being part of wide. An expression is generated for an object only
if that object is the only one in the wide sense and is in the clear sense as well. So every
expression denotes exactly one object, with a margin. x is the centre of the visible box, ground the
y of the foot point, both as shares of the image width or height; W and H stand for those.

Nouns
    man, guy: man. woman, lady: woman. child, kid: child. person: any of these three.
    dog, cat, sheep, bird, horse: themselves; animal: any of them. car, bus, bike = bicycle, boat;
    vehicle: any of them. chair, lamp, mug = cup, vase, suitcase = luggage, ball, umbrella.
    Clear: an object of that category of which at least 40 % and 60 pixels are visible.
    Wide: any object of that category; for "umbrella" also a person who holds one.
Attributes (the candidates are the objects that the noun and all its attributes allow)
    colour, pattern word before a noun: colour or pattern of the object (not of people).
        spotted = dotted. plain: without pattern.
    in red, wearing red: clear: red shirt; wide: shirt, trousers, skirt, shorts or hat is red.
    (red) (striped) shirt: the shirt has that colour and that pattern, as far as they are named.
        Without a noun ("red shirt on the left") it denotes the person.
    (red) pants, skirt, shorts: what a man, a woman, a child wears below; wide: anybody's.
        Clear if at least 75 % of the person and the feet are visible.
    (red) cap, beanie: that hat. (red) hat: any hat. without a hat, no hat: bare head.
        Clear if at least 75 % of the person and the top of the head are visible.
    holding, with a (red) balloon, umbrella, bag, flag: held. Clear if 75 % are visible.
    facing, looking left or right: the side that an animal, a car or a bus faces.
Selectors (each selects among the candidates; the sense is clear if the wide sense leaves one)
    left, leftmost, far left, right ...: among several: x within 6 % of W of the outermost one.
        A single candidate: its x lies in the left third, or right third.
    second from the left ...: the rank in the order of x; objects less than 6 % of W apart count
        in either order. Before the noun ("second red car from the left") it counts the candidates,
        after it ("man in red second from the right") everything that the noun alone allows.
        At least three must be counted, and the rank is neither the first nor the last.
    middle, center: the middle rank of exactly three or five.
    on the left side (of the picture): x in the left third; wide: below 45 %. Likewise right.
    in the middle of the picture: x from 42 to 58 %; wide: from 30 to 70 %.
    front, in front, closest, nearest: ground within 5 % of H of the lowest; two at least.
    back, in back, farthest: ground within 5 % of H of the highest; two at least.
    big, bigger, biggest, large ..., tall ...: drawn height times 1.3 above the largest; two at
        least. small, short ...: drawn height below 1.3 times the smallest; two at least.
Relations (the anchor X is itself described, uniquely, by a noun and attributes)
    left of X, to the left of X: x smaller; clear: by 6 % of W and by half the width of X, and
        ground differs by no more than 25 % of H. Likewise right.
    next to, beside X: horizontal gap of the boxes up to 15 % of W and ground up to 15 % of H
        apart; clear: 6 % and 6 %.
    behind X: ground is higher up and the boxes share some x or lie less than 10 % of W apart;
        clear: ground is 5 % of H higher up, the boxes share half of the narrower width, and the
        box comes down to 8 % of H above that of X.
    in front of X: X is behind it.
    between X and Y: x lies between; clear: 6 % of W from both, ground within 20 % of H of both.
"""

from typing import NamedTuple

from risbook.refscenes.descriptions import (
    FACING_CATEGORIES,
    LOWER_GARMENT,
    NOUNS,
    Attribute,
    Description,
    Selector,
)
from risbook.refscenes.scene_types import Scene, VisibleObject

MARGIN_X, MARGIN_GROUND, SIZE_RATIO = 0.06, 0.05, 1.3
#: Least visible share and pixels of an object that can be referred to; least share for details.
MIN_VISIBLE, MIN_AREA, DETAIL_VISIBLE = 0.4, 60, 0.75
#: Limits are this much stricter than documented, so that rounding never decides a denotation.
TOLERANCE = 1e-6
#: side of the picture -> limits of x for the clear sense, and for the wide sense
_SIDE_LIMITS = {
    "left": ((-1.0, 1 / 3), (-1.0, 0.45)),
    "right": ((2 / 3, 2.0), (0.55, 2.0)),
    "middle": ((0.42, 0.58), (0.3, 0.7)),
}


#: Indices of visible objects.
Indices = frozenset[int]


class Denotation(NamedTuple):
    """The objects that an expression denotes in the wide sense and in the clear sense."""

    wide: Indices
    clear: Indices

    def intersect(self, other: "Denotation") -> "Denotation":
        """The objects that both expressions denote."""
        return Denotation(self.wide & other.wide, self.clear & other.clear)

    @property
    def referent(self) -> int | None:
        """Index of the only object that is denoted; None if it is not unique."""
        unique = self.wide == self.clear and len(self.wide) == 1
        return next(iter(self.wide)) if unique else None


def _denotation(senses: dict[int, tuple[bool, bool]]) -> Denotation:
    """Collect the objects whose (wide, clear) senses hold; clear counts only within wide."""
    wide = frozenset(i for i, (is_wide, _) in senses.items() if is_wide)
    return Denotation(wide, frozenset(i for i in wide if senses[i][1]))


class Interpreter:
    """Computes what descriptions denote in one scene.

    Args:
        scene: the scene.
        visible_objects: a `Denotation` holds indices of this tuple.
    """

    def __init__(self, *, scene: Scene, visible_objects: tuple[VisibleObject, ...]) -> None:
        self.visible_objects = visible_objects
        self.objects = [visible.obj for visible in visible_objects]
        width, height = scene.width, scene.height
        boxes = [visible.box for visible in visible_objects]
        self.boxes = [
            (x0 / width, y0 / height, x1 / width, y1 / height) for x0, y0, x1, y1 in boxes
        ]
        self.x = [(left + right) / 2 for left, _, right, _ in self.boxes]
        self.ground = [obj.ground / height for obj in self.objects]
        self.sizes = [obj.height for obj in self.objects]
        self._cache: dict[str | Attribute, Denotation] = {}

    def is_referable(self, index: int) -> bool:
        """Whether enough of an object is visible to refer to it."""
        visible = self.visible_objects[index]
        return visible.visible_fraction >= MIN_VISIBLE and visible.area >= MIN_AREA

    def denote_noun(self, noun: str) -> Denotation:
        """The objects that a noun can mean."""
        if noun not in self._cache:
            senses = {}
            for i, obj in enumerate(self.objects):
                named = obj.category in NOUNS[noun]
                held = noun == "umbrella" and obj.holding == "umbrella"
                senses[i] = (named or held, named and self.is_referable(i))
            self._cache[noun] = _denotation(senses)
        return self._cache[noun]

    def denote_attribute(self, attribute: Attribute) -> Denotation:
        """The objects that have an attribute."""
        if attribute not in self._cache:
            senses = [_has_attribute(visible, attribute) for visible in self.visible_objects]
            self._cache[attribute] = _denotation(dict(enumerate(senses)))
        return self._cache[attribute]

    def candidates(self, description: Description) -> Denotation:
        """The objects that noun and attributes allow."""
        denotation = self.denote_noun(description.noun)
        for attribute in description.attributes:
            denotation = denotation.intersect(self.denote_attribute(attribute))
        return denotation

    def select(self, selector: Selector, among: Indices) -> Denotation:
        """The objects that a selector picks out of others."""
        x, ground, sizes = self.x, self.ground, self.sizes
        name, count = selector.name, len(among)
        wide: Indices = frozenset()
        if name == "side":
            (low, high), (lowest, highest) = _SIDE_LIMITS[selector.side]
            senses = {}
            for i in among:
                clear = low + TOLERANCE < x[i] < high - TOLERANCE
                senses[i] = (lowest - TOLERANCE < x[i] < highest + TOLERANCE, clear)
            return _denotation(senses)
        if name in ("left", "right") and count == 1:
            (offset,) = (x[i] if name == "left" else 1 - x[i] for i in among)
            if offset < 1 / 3 - TOLERANCE:
                wide = among
        elif name in ("left", "right"):
            wide = self._at_rank(among, 1, name)
        elif name == "middle" and count in (3, 5):
            wide = self._at_rank(among, (count + 1) // 2, "left")
        elif name == "nth" and 1 < selector.rank < count:
            wide = self._at_rank(among, selector.rank, selector.side)
        elif name == "front" and count >= 2:
            limit = max(ground[i] for i in among) - MARGIN_GROUND - TOLERANCE
            wide = frozenset(i for i in among if ground[i] > limit)
        elif name == "back" and count >= 2:
            limit = min(ground[i] for i in among) + MARGIN_GROUND + TOLERANCE
            wide = frozenset(i for i in among if ground[i] < limit)
        elif name == "big" and count >= 2:
            limit = max(sizes[i] for i in among) - TOLERANCE
            wide = frozenset(i for i in among if sizes[i] * SIZE_RATIO > limit)
        elif name == "small" and count >= 2:
            limit = min(sizes[i] for i in among) * SIZE_RATIO + TOLERANCE
            wide = frozenset(i for i in among if sizes[i] < limit)
        return Denotation(wide, wide if len(wide) == 1 else frozenset())

    def _at_rank(self, among: Indices, rank: int, side: str) -> Indices:
        """The objects that may stand at a rank (1 is first) counted from a side."""
        xs = self.x if side == "left" else [1 - x for x in self.x]
        wide = set()
        for i in among:
            surely_before = sum(xs[j] < xs[i] - MARGIN_X - TOLERANCE for j in among)
            maybe_before = sum(xs[j] < xs[i] + MARGIN_X + TOLERANCE for j in among) - 1
            if surely_before < rank <= maybe_before + 1:
                wide.add(i)
        return frozenset(wide)

    def relate(self, name: str, among: Indices, anchors: list[int]) -> Denotation:
        """The objects that stand in a relation to the anchors (indices)."""
        others = among - set(anchors)
        return _denotation({i: self._is_related(name, i, anchors) for i in others})

    def _is_related(self, name: str, i: int, anchors: list[int]) -> tuple[bool, bool]:
        j = anchors[0]
        x, ground, box, anchor_box = self.x, self.ground, self.boxes[i], self.boxes[j]
        step = ground[j] - ground[i]
        if name in ("left", "right"):
            ahead = x[j] - x[i] if name == "left" else x[i] - x[j]
            far = ahead >= max(MARGIN_X, (anchor_box[2] - anchor_box[0]) / 2) + TOLERANCE
            return ahead > -TOLERANCE, far and abs(step) <= 0.25 - TOLERANCE
        if name == "next":
            gap = max(0.0, box[0] - anchor_box[2], anchor_box[0] - box[2])
            distance = max(gap, abs(step))
            return distance <= 0.15 + TOLERANCE, distance <= 0.06 - TOLERANCE
        if name == "between":
            low, high = sorted((x[j], x[anchors[1]]))
            level = all(abs(ground[k] - ground[i]) <= 0.2 - TOLERANCE for k in anchors)
            margin = MARGIN_X + TOLERANCE
            clear = level and low + margin <= x[i] <= high - margin
            return low - TOLERANCE < x[i] < high + TOLERANCE, clear
        overlap = min(box[2], anchor_box[2]) - max(box[0], anchor_box[0])
        narrower = min(box[2] - box[0], anchor_box[2] - anchor_box[0])
        rear, fore = (box, anchor_box) if name == "behind" else (anchor_box, box)
        if name == "front":
            step = -step
        close = rear[3] >= fore[1] - 0.08 + TOLERANCE and step >= MARGIN_GROUND + TOLERANCE
        wide = overlap > -0.1 - TOLERANCE and step > -TOLERANCE
        return wide, overlap >= 0.5 * narrower + TOLERANCE and close

    def denote(self, description: Description) -> Denotation:
        """The objects that a whole description denotes."""
        named = self.denote_noun(description.noun).wide
        denotation = self.candidates(description)
        candidates = denotation.wide
        for selector in description.selectors:
            selected = self.select(selector, named if selector.by_noun else candidates)
            denotation = denotation.intersect(selected)
        if description.relation is not None:
            anchors = [self.referent(anchor) for anchor in description.relation.anchors]
            indices = [i for i in anchors if i is not None]
            if len(indices) < len(anchors):
                return Denotation(frozenset(), frozenset())
            related = self.relate(description.relation.name, candidates, indices)
            denotation = denotation.intersect(related)
        return denotation

    def referent(self, description: Description) -> int | None:
        """Index of the only object that a description denotes; None if it is not unique."""
        return self.denote(description).referent


def _has_attribute(visible: VisibleObject, attribute: Attribute) -> tuple[bool, bool]:
    """Whether an object has an attribute in the wide sense, and whether that is visible."""
    obj, colour, value = visible.obj, attribute.colour, attribute.value
    is_person = obj.supercategory == "people"
    detail = visible.visible_fraction >= DETAIL_VISIBLE
    head = visible.box[1] <= obj.ground - 0.93 * obj.height
    if attribute.name in ("body", "shirt"):
        fits = colour in ("", obj.colour) and value in ("", obj.pattern)
        return fits and is_person == (attribute.name == "shirt"), True
    if attribute.name == "clothes":
        worn = (obj.colour, obj.lower_colour, obj.hat_colour)
        return is_person and colour in worn, colour == obj.colour
    if attribute.name == "lower":
        feet = visible.box[3] >= obj.ground - 0.1 * obj.height
        return (
            is_person and colour in ("", obj.lower_colour),
            detail and feet and value == LOWER_GARMENT.get(obj.category),
        )
    if attribute.name == "hat":
        fits = value in ("hat", obj.hat) and colour in ("", obj.hat_colour)
        return is_person and bool(obj.hat) and fits, detail and head
    if attribute.name == "bareheaded":
        return is_person and not obj.hat, detail and head
    if attribute.name == "held":
        return is_person and value == obj.holding and colour in ("", obj.holding_colour), detail
    return obj.category in FACING_CATEGORIES and obj.facing == value, True
