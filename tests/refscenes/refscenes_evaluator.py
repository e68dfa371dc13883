"""Which things of a RefScenes picture does a sentence mean? Answered from the sentence alone.

A second reading of the meanings documented in risbook.refscenes.grammar, written without
that module: its own parser from words, and its own rules over the facts of scenes.json.
"""

from typing import Any

Thing = dict[str, Any]
Scene = dict[str, Any]

PEOPLE = {"man", "woman", "child"}
NOUNS: dict[str, set[str]] = {
    "man": {"man"}, "guy": {"man"}, "woman": {"woman"}, "lady": {"woman"}, "child": {"child"},
    "kid": {"child"}, "person": PEOPLE, "dog": {"dog"}, "cat": {"cat"}, "sheep": {"sheep"},
    "bird": {"bird"}, "horse": {"horse"}, "animal": {"dog", "cat", "sheep", "bird", "horse"},
    "car": {"car"}, "bus": {"bus"}, "bike": {"bicycle"}, "bicycle": {"bicycle"}, "boat": {"boat"},
    "vehicle": {"car", "bus", "bicycle", "boat"}, "chair": {"chair"}, "lamp": {"lamp"},
    "mug": {"mug"}, "cup": {"mug"}, "vase": {"vase"}, "suitcase": {"suitcase"},
    "luggage": {"suitcase"}, "ball": {"ball"}, "umbrella": {"umbrella"},
}  # fmt: skip
COLOURS = {
    "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "gray",
}  # fmt: skip
PATTERNS = {"plain": "plain", "striped": "striped", "spotted": "spotted", "dotted": "spotted"}
WORN = {"shirt", "pants", "skirt", "shorts", "hat", "cap", "beanie"}
ITEMS = WORN | {"balloon", "umbrella", "bag", "flag"}
BIG = {"big", "bigger", "biggest", "large", "larger", "largest", "tall", "taller", "tallest"}
SMALL = {"small", "smaller", "smallest", "little", "short", "shorter", "shortest"}
RANKS = {"second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6}
ARTICLES = {"a", "an", "the"}


class SentenceError(ValueError):
    """A sentence that the evaluator cannot read."""


class Parser:
    """Reads one sentence from left to right."""

    def __init__(self, sentence: str) -> None:
        self.words = sentence.split()
        self.at = 0

    def peek(self, ahead: int = 0) -> str:
        place = self.at + ahead
        return self.words[place] if place < len(self.words) else ""

    def take(self, *options: str) -> str:
        """Take the next word if it is one of these."""
        word = self.peek()
        if word and word in options:
            self.at += 1
            return word
        return ""

    def need(self, *options: str) -> str:
        word = self.take(*options)
        if not word:
            raise SentenceError(
                f"{' '.join(self.words)!r}: {self.peek()!r} where {options} belongs"
            )
        return word

    def sentence(self) -> Thing:
        found = self.phrase(inner=False)
        if self.peek():
            raise SentenceError(f"{' '.join(self.words)!r}: cannot read from {self.peek()!r}")
        return found

    def phrase(self, *, inner: bool) -> Thing:
        """A noun phrase; inner ones, inside relations, have no places of their own."""
        said: Thing = {"noun": "", "traits": [], "places": [], "relation": None}
        self.take(*ARTICLES)
        colour = pattern = rank = ""
        while not said["noun"]:
            word = self.peek()
            self.at += 1
            if word in COLOURS:
                colour = word
            elif word in PATTERNS:
                pattern = PATTERNS[word]
            elif word in BIG | SMALL:
                said["places"].append(("big" if word in BIG else "small",))
            elif word in RANKS:
                rank = word
            elif word == "far":
                said["places"].append((self.need("left", "right"),))
            elif word in ("left", "right", "leftmost", "rightmost"):
                said["places"].append((word.removesuffix("most"),))
            elif word in ("middle", "center"):
                said["places"].append(("middle",))
            elif word in ("front", "closest", "nearest"):
                said["places"].append(("front",))
            elif word in ("back", "farthest"):
                said["places"].append(("back",))
            elif word in WORN:
                said["traits"].append((word, colour, pattern))
                said["noun"] = self.take("person", "man", "guy", "woman", "lady", "child", "kid")
                said["noun"] = said["noun"] or "person"
                colour = pattern = ""
            elif word in NOUNS:
                said["noun"] = word
            else:
                raise SentenceError(f"{' '.join(self.words)!r}: no noun before {word!r}")
        if colour or pattern:
            said["traits"].append(("body", colour, pattern))
        if rank:
            self.need("from")
            self.take("the")
            said["places"].append(("nth", RANKS[rank], self.need("left", "right"), False))
        while self.peek() and self.tail(said, inner):
            pass
        if inner and (said["places"] or said["relation"]):
            raise SentenceError(f"{' '.join(self.words)!r}: place inside a relation")
        return said

    def tail(self, said: Thing, inner: bool) -> bool:
        """One phrase after the noun; False if what follows belongs to somebody else."""
        places = said["places"]
        if self.peek() == "and" and self.peek(1) in ("with", "holding", "wearing"):
            self.at += 1
        word = self.peek()
        self.at += 1
        if word in ("standing", "parked", "is"):
            return True
        if word in ("who", "that"):
            self.need("is")
        elif word in ("facing", "looking"):
            said["traits"].append(("facing", self.need("left", "right"), ""))
        elif word == "without" or (word in ("with", "no") and "no" in (word, self.peek())):
            self.take("a", "no")
            self.need("hat")
            said["traits"].append(("bare", "", ""))
        elif word == "in" and self.peek(self.peek() == "the") in (
            "front",
            "back",
            "middle",
            "center",
        ):
            self.take("the")
            what = self.need("front", "back", "middle", "center")
            if what == "front" and self.take("of"):
                self.relation(said, "front")
            elif what == "middle" and self.take("of"):
                self.picture()
                places.append(("side", "middle"))
            else:
                places.append(("middle" if what == "center" else what,))
        elif word in ("in", "with", "wearing", "holding"):
            self.items(said)
        elif word == "on":
            self.take("the")
            self.take("far")
            side = self.need("left", "right")
            if self.take("side"):
                if self.take("of"):
                    self.picture()
                places.append(("side", side))
            else:
                places.append((side,))
        elif word == "to" or word in ("left", "right"):
            if word == "to":
                self.need("the")
                word = self.need("left", "right")
            if self.take("of"):
                self.relation(said, word)
            else:
                places.append((word,))
        elif word == "far":
            places.append((self.need("left", "right"),))
        elif word == "at":
            self.need("the")
            self.need("back")
            places.append(("back",))
        elif word in ("closest", "nearest"):
            self.need("to")
            self.viewer()
            places.append(("front",))
        elif word == "farthest":
            if not self.take("away"):
                self.need("from")
                self.viewer()
            places.append(("back",))
        elif word in RANKS:
            self.need("from")
            self.take("the")
            places.append(("nth", RANKS[word], self.need("left", "right"), True))
        elif word == "next":
            self.need("to")
            self.relation(said, "next")
        elif word in ("beside", "behind", "between"):
            self.relation(said, {"beside": "next"}.get(word, word))
        else:
            self.at -= 1
            if not inner:
                raise SentenceError(f"{' '.join(self.words)!r}: cannot read {word!r}")
            return False
        return True

    def viewer(self) -> None:
        if not self.take("us"):
            self.need("the")
            self.need("camera")

    def picture(self) -> None:
        self.take("the")
        self.need("picture", "image", "photo")

    def items(self, said: Thing) -> None:
        """What is worn or held: "a red striped shirt and blue pants", or a colour alone."""
        while True:
            self.take(*ARTICLES)
            colour = pattern = ""
            while self.peek() in COLOURS or self.peek() in PATTERNS:
                if self.peek() in COLOURS:
                    colour = self.peek()
                else:
                    pattern = PATTERNS[self.peek()]
                self.at += 1
            item = self.take(*ITEMS)
            if item:
                said["traits"].append((item, colour, pattern))
            elif colour and not pattern:
                said["traits"].append(("in", colour, ""))
            else:
                raise SentenceError(f"{' '.join(self.words)!r}: nothing is worn or held")
            follows = self.at + 1
            while follows < len(self.words) and (
                self.words[follows] in ARTICLES | COLOURS or self.words[follows] in PATTERNS
            ):
                follows += 1
            more = follows < len(self.words) and self.words[follows] in ITEMS
            if self.peek() == "and" and more:
                self.at += 1
            elif not (item in WORN and self.peek() in COLOURS | set(PATTERNS) | ARTICLES):
                return

    def relation(self, said: Thing, what: str) -> None:
        others = [self.phrase(inner=True)]
        if what == "between":
            self.need("and")
            others.append(self.phrase(inner=True))
        said["relation"] = (what, others)


class Reader:
    """Finds what parsed sentences mean in one scene."""

    def __init__(self, scene: Scene) -> None:
        self.things: list[Thing] = scene["things"]
        self.width: int = scene["width"]
        self.height: int = scene["height"]

    def x(self, i: int) -> float:
        box = self.things[i]["box"]
        return float(box[0] + box[2]) / 2 / self.width

    def ground(self, i: int) -> float:
        return float(self.things[i]["ground"]) / self.height

    def has(self, i: int, trait: tuple[str, str, str]) -> tuple[bool, bool]:
        """Whether a thing has a property: widely, and clearly."""
        thing = self.things[i]
        what, colour, pattern = trait
        person = thing["kind"] in PEOPLE
        if what == "facing":
            looks = thing["kind"] in NOUNS["animal"] | {"car", "bus"}
            return (looks and thing["facing"] == colour,) * 2
        if what == "body":
            fits = colour in ("", thing["colour"]) and pattern in ("", thing["pattern"])
            return (fits and not person,) * 2
        if not person:
            return False, False
        whole = thing["visible"] >= 0.75
        head = whole and thing["box"][1] <= thing["ground"] - 0.93 * thing["height"]
        lower, hat = thing.get("lower_colour", ""), thing.get("hat", "")
        if what == "in":
            clear = colour == thing["colour"]
            return clear or colour in (lower, thing.get("hat_colour", "")), clear
        if what == "shirt":
            return (colour in ("", thing["colour"]) and pattern in ("", thing["pattern"]),) * 2
        if what in ("pants", "skirt", "shorts"):
            worn = {"man": "pants", "woman": "skirt", "child": "shorts"}[thing["kind"]]
            feet = thing["box"][3] >= thing["ground"] - 0.1 * thing["height"]
            wide = colour in ("", lower)
            return wide, wide and whole and feet and worn == what
        if what == "bare":
            return not hat, not hat and head
        if what in ("hat", "cap", "beanie"):
            wide = bool(hat) and what in ("hat", hat) and colour in ("", thing["hat_colour"])
            return wide, wide and head
        wide = thing.get("holding", "") == what and colour in ("", thing["holding_colour"])
        return wide, wide and whole

    def ranked(self, some: set[int], rank: int, side: str) -> set[int]:
        """Those that may be the rank-th from a side, where 6 % of the width is a tie."""
        xs = {i: self.x(i) if side == "left" else 1 - self.x(i) for i in some}
        found = set()
        for i in some:
            surely = [j for j in some if xs[j] < xs[i] - 0.06]
            perhaps = [j for j in some if j != i and xs[j] < xs[i] + 0.06]
            if len(surely) < rank <= len(perhaps) + 1:
                found.add(i)
        return found

    def place(self, place: tuple[Any, ...], some: set[int]) -> tuple[set[int], set[int]]:
        what, many = place[0], len(some)
        wide: set[int] = set()
        if what == "side":
            ranges = {
                "left": ((-1, 0.45), (-1, 1 / 3)), "right": ((0.55, 2), (2 / 3, 2)),
                "middle": ((0.3, 0.7), (0.42, 0.58)),
            }[place[1]]  # fmt: skip
            both = [{i for i in some if low < self.x(i) < high} for low, high in ranges]
            return both[0], both[1]
        if what in ("left", "right"):
            if many == 1:
                (i,) = some
                wide = some if (self.x(i) if what == "left" else 1 - self.x(i)) < 1 / 3 else set()
            else:
                wide = self.ranked(some, 1, what)
        elif what == "middle":
            wide = self.ranked(some, many // 2 + 1, "left") if many in (3, 5) else set()
        elif what == "nth":
            wide = self.ranked(some, place[1], place[2]) if 1 < place[1] < many else set()
        elif many >= 2:
            if what in ("front", "back"):
                sign = 1 if what == "front" else -1
                extreme = max(sign * self.ground(i) for i in some)
                wide = {i for i in some if sign * self.ground(i) > extreme - 0.05}
            else:
                sizes = {i: self.things[i]["height"] for i in some}
                if what == "big":
                    wide = {i for i in some if sizes[i] * 1.3 > max(sizes.values())}
                else:
                    wide = {i for i in some if sizes[i] < min(sizes.values()) * 1.3}
        return wide, wide if len(wide) == 1 else set()

    def related(self, what: str, i: int, others: list[int]) -> tuple[bool, bool]:
        j = others[0]
        a, b = self.things[i]["box"], self.things[j]["box"]
        down = self.ground(i) - self.ground(j)
        if what in ("left", "right"):
            gap = self.x(j) - self.x(i) if what == "left" else self.x(i) - self.x(j)
            half = (b[2] - b[0]) / 2 / self.width
            return gap > 0, gap >= 0.06 and gap >= half and abs(down) <= 0.25
        if what == "next":
            space = max(0, a[0] - b[2], b[0] - a[2]) / self.width
            return space <= 0.15 and abs(down) <= 0.15, space <= 0.06 and abs(down) <= 0.06
        if what == "between":
            low, high = sorted(self.x(k) for k in others)
            level = all(abs(self.ground(k) - self.ground(i)) <= 0.2 for k in others)
            return low < self.x(i) < high, level and low + 0.06 <= self.x(i) <= high - 0.06
        if what == "front":
            a, b, down = b, a, -down
        shared = min(a[2], b[2]) - max(a[0], b[0])
        enough = shared >= 0.5 * min(a[2] - a[0], b[2] - b[0])
        reaches = a[3] >= b[1] - 0.08 * self.height
        return shared > -0.1 * self.width and down < 0, enough and -down >= 0.05 and reaches

    def mean(self, said: Thing) -> tuple[set[int], set[int]]:
        """The things that a parsed sentence may mean, and those that it clearly means."""
        kinds = NOUNS[said["noun"]]
        everything = range(len(self.things))
        noun = {i for i in everything if self.things[i]["kind"] in kinds}
        plain = {i for i in noun if self.things[i]["visible"] >= 0.4}
        clear = {i for i in plain if self.things[i]["area"] >= 60}
        if said["noun"] == "umbrella":
            noun |= {i for i in everything if self.things[i].get("holding") == "umbrella"}
        wide = set(noun)
        for trait in said["traits"]:
            wide = {i for i in wide if self.has(i, trait)[0]}
            clear = {i for i in clear if all(self.has(i, trait))}
        candidates = set(wide)
        for place in said["places"]:
            counted = noun if place[0] == "nth" and place[3] else candidates
            some, sure = self.place(place, counted)
            wide, clear = wide & some, clear & sure
        if said["relation"] is not None:
            what, phrases = said["relation"]
            others: list[int] = []
            for phrase in phrases:
                may, does = self.mean(phrase)
                if may != does or len(may) != 1:
                    return set(), set()
                others += may
            found = {i: self.related(what, i, others) for i in candidates if i not in others}
            wide &= {i for i, pair in found.items() if pair[0]}
            clear &= {i for i, pair in found.items() if all(pair)}
        return wide, clear


def denoted(sentence: str, scene: Scene) -> set[int]:
    """Find what a sentence means.

    Args:
        sentence: in the normalised form (``sent``).
        scene: one entry of scenes.json.

    Returns:
        Annotation ids of all things that it may mean; none if it means nothing clearly.
    """
    reader = Reader(scene)
    wide, clear = reader.mean(Parser(sentence).sentence())
    if not clear:
        return set()
    return {reader.things[i]["ann_id"] for i in wide}
