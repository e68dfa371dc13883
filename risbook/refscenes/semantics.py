"""What the words of RefScenes mean: which things of a scene an expression can be about.

Every word has a *wide* sense (whatever a patient reader might still count in) and a *clear* sense
(what nobody would dispute), clear being part of wide. An expression is spoken of a thing only if
that thing is the only one in the wide sense and is in the clear sense as well. So every expression
means exactly one object, with a margin. x is the centre of the visible box, ground the y of the
foot point, both as shares of the canvas width or height; W and H stand for those.

Nouns
    man, guy: man. woman, lady: woman. child, kid: child. person: any of these three.
    dog, cat, sheep, bird, horse: themselves; animal: any of them. car, bus, bike = bicycle, boat;
    vehicle: any of them. chair, lamp, mug = cup, vase, suitcase = luggage, ball, umbrella.
    Clear: a thing of that kind of which at least 40 % and 60 pixels are visible.
    Wide: any thing of that kind; for "umbrella" also a person who holds one.
Properties (the candidates are the things that the noun and all its properties allow)
    colour, pattern word before a noun: colour or pattern of the thing (not of people).
        spotted = dotted. plain: without pattern.
    in red, wearing red: clear: red shirt; wide: shirt, trousers, skirt, shorts or hat is red.
    (red) (striped) shirt: the shirt has that colour and that pattern, as far as they are named.
        Without a noun ("red shirt on the left") it means the person.
    (red) pants, skirt, shorts: what a man, a woman, a child wears below; wide: anybody's.
        Clear if at least 75 % of the person and the feet are visible.
    (red) cap, beanie: that hat. (red) hat: any hat. without a hat, no hat: bare head.
        Clear if at least 75 % of the person and the top of the head are visible.
    holding, with a (red) balloon, umbrella, bag, flag: held. Clear if 75 % are visible.
    facing, looking left or right: the side that an animal, a car or a bus looks to.
Places (each picks from the candidates; the sense is clear if the wide sense leaves one)
    left, leftmost, far left, right ...: among several: x within 6 % of W of the outermost one.
        A single candidate: its x lies in the left third, or right third.
    second from the left ...: the rank in the order of x, things less than 6 % of W apart counting
        in either order. Before the noun ("second red car from the left") it counts the candidates,
        after it ("man in red second from the right") everything that the bare noun allows.
        At least three must be counted, and the rank is neither the first nor the last.
    middle, center: the middle rank of exactly three or five.
    on the left side (of the picture): x in the left third; wide: below 45 %. Likewise right.
    in the middle of the picture: x from 42 to 58 %; wide: from 30 to 70 %.
    front, in front, closest, nearest: ground within 5 % of H of the lowest; two at least.
    back, in back, farthest: ground within 5 % of H of the highest; two at least.
    big, bigger, biggest, large ..., tall ...: drawn height times 1.3 above the largest; two at
        least. small, short ...: drawn height below 1.3 times the smallest; two at least.
Relations (the other thing is itself described, uniquely, by a noun and properties)
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

from dataclasses import dataclass
from typing import NamedTuple

from risbook.refscenes.scene_types import CATEGORIES, Scene, VisibleObject

#: noun -> the kinds that it can mean.
NOUNS: dict[str, tuple[str, ...]] = {
    **{kind: (kind,) for kinds in CATEGORIES.values() for kind in kinds},
    "guy": ("man",), "lady": ("woman",), "kid": ("child",), "person": CATEGORIES["people"],
    "animal": CATEGORIES["animals"], "vehicle": CATEGORIES["vehicles"], "bike": ("bicycle",),
    "cup": ("mug",), "luggage": ("suitcase",),
}  # fmt: skip
#: what people wear below, by kind.
LOWER = {"man": "pants", "woman": "skirt", "child": "shorts"}
#: kinds that visibly look to one side.
FACERS = (*CATEGORIES["animals"], "car", "bus")

MARGIN_X, MARGIN_GROUND, SIZE_RATIO = 0.06, 0.05, 1.3
MIN_VISIBLE, MIN_AREA, DETAIL_VISIBLE = 0.4, 60, 0.75
#: Limits are taken this much more strictly than they are documented, so that how numbers are
#: rounded never decides what a word means.
TIE = 1e-6


class Sense(NamedTuple):
    """Sets of things as bits: bit i stands for the i-th visible thing."""

    wide: int
    clear: int


@dataclass(frozen=True, slots=True)
class Trait:
    """A property that is said: body, in, shirt, lower, hat, bare, held or facing.

    Args:
        what: which property.
        colour: its colour, "" if not said.
        form: a pattern (body, shirt), garment (lower, hat), held object or side (facing).
    """

    what: str
    colour: str = ""
    form: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A word that picks from the candidates.

    Args:
        what: left, right, middle, front, back, big, small, nth, side.
        side: left or right for nth; left, right or middle for side.
        rank: rank for nth.
        bare: count all that the bare noun allows, not only the candidates.
    """

    what: str
    side: str = ""
    rank: int = 0
    bare: bool = False


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation (left, right, next, behind, front, between) to other described things."""

    what: str
    others: tuple["Description", ...]


@dataclass(frozen=True, slots=True)
class Description:
    """What an expression says, without its words."""

    noun: str
    traits: tuple[Trait, ...] = ()
    places: tuple[Place, ...] = ()
    relation: Relation | None = None


class Interpreter:
    """A scene as the words see it.

    Args:
        scene: the scene.
        seen: its visible things; bit i of every `Sense` stands for seen[i].
    """

    def __init__(self, *, scene: Scene, seen: tuple[VisibleObject, ...]) -> None:
        self.seen = seen
        self.things = [one.thing for one in seen]
        width, height = scene.width, scene.height
        self.boxes = [
            (one.box[0] / width, one.box[1] / height, one.box[2] / width, one.box[3] / height)
            for one in seen
        ]
        self.x = [(left + right) / 2 for left, _, right, _ in self.boxes]
        self.ground = [thing.ground / height for thing in self.things]
        self.sizes = [thing.height for thing in self.things]
        #: bits of what can be referred to at all
        self.plain_to_see = self._bits(
            [one.visible >= MIN_VISIBLE and one.area >= MIN_AREA for one in seen]
        )
        self._senses: dict[str | Trait, Sense] = {}

    @staticmethod
    def _bits(flags: list[bool]) -> int:
        return sum(1 << i for i, flag in enumerate(flags) if flag)

    def noun(self, word: str) -> Sense:
        """The things that a noun can mean."""
        if word not in self._senses:
            kinds = NOUNS[word]
            wide = clear = self._bits([thing.kind in kinds for thing in self.things])
            if word == "umbrella":
                wide |= self._bits([thing.holding == "umbrella" for thing in self.things])
            self._senses[word] = Sense(wide, clear & self.plain_to_see)
        return self._senses[word]

    def trait(self, trait: Trait) -> Sense:
        """The things that have a property."""
        if trait not in self._senses:
            pairs = [self._has(trait, one) for one in self.seen]
            wide, clear = [pair[0] for pair in pairs], [pair[0] and pair[1] for pair in pairs]
            self._senses[trait] = Sense(self._bits(wide), self._bits(clear))
        return self._senses[trait]

    @staticmethod
    def _has(trait: Trait, one: VisibleObject) -> tuple[bool, bool]:
        """Whether a thing has a property: in the wide sense, and visibly so."""
        thing, colour, form = one.thing, trait.colour, trait.form
        people = thing.group == "people"
        detail = one.visible >= DETAIL_VISIBLE
        top = one.box[1] <= thing.ground - 0.93 * thing.height
        if trait.what in ("body", "shirt"):
            fits = colour in ("", thing.colour) and form in ("", thing.pattern)
            return fits and people == (trait.what == "shirt"), True
        if trait.what == "in":
            worn = (thing.colour, thing.lower_colour, thing.hat_colour)
            return people and colour in worn, colour == thing.colour
        if trait.what == "lower":
            feet = one.box[3] >= thing.ground - 0.1 * thing.height
            return (
                people and colour in ("", thing.lower_colour),
                detail and feet and form == LOWER.get(thing.kind),
            )
        if trait.what == "hat":
            fits = form in ("hat", thing.hat) and colour in ("", thing.hat_colour)
            return people and bool(thing.hat) and fits, detail and top
        if trait.what == "bare":
            return people and not thing.hat, detail and top
        if trait.what == "held":
            return people and form == thing.holding and colour in ("", thing.holding_colour), detail
        return thing.kind in FACERS and thing.facing == form, True

    def place(self, place: Place, among: int) -> Sense:
        """The things that a place or size word picks out of some."""
        some = [i for i in range(len(self.seen)) if among >> i & 1]
        x, what = self.x, place.what
        count = len(some)
        if what == "side":
            near, far = {
                "left": ((-1.0, 1 / 3), (-1.0, 0.45)),
                "right": ((2 / 3, 2.0), (0.55, 2.0)),
                "middle": ((0.42, 0.58), (0.3, 0.7)),
            }[place.side]
            return Sense(
                sum(1 << i for i in some if far[0] - TIE < x[i] < far[1] + TIE),
                sum(1 << i for i in some if near[0] + TIE < x[i] < near[1] - TIE),
            )
        if what in ("left", "right") and count == 1:
            value = x[some[0]] if what == "left" else 1 - x[some[0]]
            return Sense(among, among) if value < 1 / 3 - TIE else Sense(0, 0)
        if what in ("left", "right"):
            wide = self._rank(some, 1, what)
        elif what == "middle":
            wide = self._rank(some, (count + 1) // 2, "left") if count in (3, 5) else 0
        elif what == "nth":
            wide = self._rank(some, place.rank, place.side) if 1 < place.rank < count else 0
        elif count < 2:
            wide = 0
        elif what == "front":
            limit = max(self.ground[i] for i in some) - MARGIN_GROUND - TIE
            wide = sum(1 << i for i in some if self.ground[i] > limit)
        elif what == "back":
            limit = min(self.ground[i] for i in some) + MARGIN_GROUND + TIE
            wide = sum(1 << i for i in some if self.ground[i] < limit)
        elif what == "big":
            limit = max(self.sizes[i] for i in some) - TIE
            wide = sum(1 << i for i in some if self.sizes[i] * SIZE_RATIO > limit)
        else:
            limit = min(self.sizes[i] for i in some) * SIZE_RATIO + TIE
            wide = sum(1 << i for i in some if self.sizes[i] < limit)
        return Sense(wide, wide if wide.bit_count() == 1 else 0)

    def _rank(self, some: list[int], rank: int, side: str) -> int:
        """Those that may stand at a rank (1 is first) counted from a side."""
        xs = self.x if side == "left" else [1 - x for x in self.x]
        bits = 0
        for i in some:
            before = sum(xs[j] < xs[i] - MARGIN_X - TIE for j in some)
            maybe = sum(xs[j] < xs[i] + MARGIN_X + TIE for j in some) - 1
            bits |= (before < rank <= maybe + 1) << i
        return bits

    def relation(self, what: str, among: int, others: list[int]) -> Sense:
        """The things among some that stand in a relation to others (indices)."""
        wide = clear = 0
        for i in range(len(self.seen)):
            if among >> i & 1 and i not in others:
                pair = self._related(what, i, others)
                wide |= pair[0] << i
                clear |= (pair[0] and pair[1]) << i
        return Sense(wide, clear)

    def _related(self, what: str, i: int, others: list[int]) -> tuple[bool, bool]:
        j = others[0]
        x, ground, mine, other = self.x, self.ground, self.boxes[i], self.boxes[j]
        step = ground[j] - ground[i]
        if what in ("left", "right"):
            ahead = x[j] - x[i] if what == "left" else x[i] - x[j]
            far = ahead >= max(MARGIN_X, (other[2] - other[0]) / 2) + TIE
            return ahead > -TIE, far and abs(step) <= 0.25 - TIE
        if what == "next":
            gap = max(0.0, mine[0] - other[2], other[0] - mine[2])
            apart = max(gap, abs(step))
            return apart <= 0.15 + TIE, apart <= 0.06 - TIE
        if what == "between":
            low, high = sorted((x[j], x[others[1]]))
            level = all(abs(ground[k] - ground[i]) <= 0.2 - TIE for k in others)
            margin = MARGIN_X + TIE
            clear = level and low + margin <= x[i] <= high - margin
            return low - TIE < x[i] < high + TIE, clear
        shared = min(mine[2], other[2]) - max(mine[0], other[0])
        narrow = min(mine[2] - mine[0], other[2] - other[0])
        rear, fore = (mine, other) if what == "behind" else (other, mine)
        if what == "front":
            step = -step
        close = rear[3] >= fore[1] - 0.08 + TIE and step >= MARGIN_GROUND + TIE
        return shared > -0.1 - TIE and step > -TIE, shared >= 0.5 * narrow + TIE and close

    def meaning(self, description: Description) -> Sense:
        """The things that a description is true of, widely and clearly."""
        noun = self.noun(description.noun)
        wide, clear = noun
        for trait in description.traits:
            sense = self.trait(trait)
            wide, clear = wide & sense.wide, clear & sense.clear
        candidates = wide
        for place in description.places:
            sense = self.place(place, noun.wide if place.bare else candidates)
            wide, clear = wide & sense.wide, clear & sense.clear
        if description.relation is not None:
            others = [self.one(other) for other in description.relation.others]
            if None in others:
                return Sense(0, 0)
            known = [i for i in others if i is not None]
            sense = self.relation(description.relation.what, candidates, known)
            wide, clear = wide & sense.wide, clear & sense.clear
        return Sense(wide, clear)

    def one(self, description: Description) -> int | None:
        """Index of the one thing that a description means, or None if it means none or several."""
        wide, clear = self.meaning(description)
        return wide.bit_length() - 1 if wide == clear and wide.bit_count() == 1 else None
