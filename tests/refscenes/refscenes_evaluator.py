"""Which objects of a RefScenes image does a sentence denote? Computed from the sentence alone.

A second implementation of the semantics documented in risbook.refscenes.semantics, written without
that module: its own parser of words, and its own rules over the facts of scenes.json.
"""

from typing import Any

Object = dict[str, Any]
Phrase = dict[str, Any]
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
    """A sentence that the evaluator cannot parse."""


class Parser:
    """Parses one sentence from left to right."""

    def __init__(self, sentence: str) -> None:
        self.words = sentence.split()
        self.position = 0

    def peek(self, ahead: int = 0) -> str:
        index = self.position + ahead
        return self.words[index] if index < len(self.words) else ""

    def take(self, *options: str) -> str:
        """Consume the next word if it is among the options."""
        word = self.peek()
        if word and word in options:
            self.position += 1
            return word
        return ""

    def need(self, *options: str) -> str:
        word = self.take(*options)
        if not word:
            raise SentenceError(
                f"{' '.join(self.words)!r}: {self.peek()!r} where {options} belongs"
            )
        return word

    def sentence(self) -> Phrase:
        phrase = self.phrase(inner=False)
        if self.peek():
            raise SentenceError(f"{' '.join(self.words)!r}: cannot parse from {self.peek()!r}")
        return phrase

    def phrase(self, *, inner: bool) -> Phrase:
        """A noun phrase; inner ones, inside relations, have no selectors of their own."""
        phrase: Phrase = {"noun": "", "attributes": [], "selectors": [], "relation": None}
        self.take(*ARTICLES)
        colour = pattern = rank = ""
        while not phrase["noun"]:
            word = self.peek()
            self.position += 1
            if word in COLOURS:
                colour = word
            elif word in PATTERNS:
                pattern = PATTERNS[word]
            elif word in BIG | SMALL:
                phrase["selectors"].append(("big" if word in BIG else "small",))
            elif word in RANKS:
                rank = word
            elif word == "far":
                phrase["selectors"].append((self.need("left", "right"),))
            elif word in ("left", "right", "leftmost", "rightmost"):
                phrase["selectors"].append((word.removesuffix("most"),))
            elif word in ("middle", "center"):
                phrase["selectors"].append(("middle",))
            elif word in ("front", "closest", "nearest"):
                phrase["selectors"].append(("front",))
            elif word in ("back", "farthest"):
                phrase["selectors"].append(("back",))
            elif word in WORN:
                phrase["attributes"].append((word, colour, pattern))
                phrase["noun"] = self.take("person", "man", "guy", "woman", "lady", "child", "kid")
                phrase["noun"] = phrase["noun"] or "person"
                colour = pattern = ""
            elif word in NOUNS:
                phrase["noun"] = word
            else:
                raise SentenceError(f"{' '.join(self.words)!r}: no noun before {word!r}")
        if colour or pattern:
            phrase["attributes"].append(("body", colour, pattern))
        if rank:
            self.need("from")
            self.take("the")
            phrase["selectors"].append(("nth", RANKS[rank], self.need("left", "right"), False))
        while self.peek() and self.tail(phrase, inner):
            pass
        if inner and (phrase["selectors"] or phrase["relation"]):
            raise SentenceError(f"{' '.join(self.words)!r}: selector inside a relation")
        return phrase

    def tail(self, phrase: Phrase, inner: bool) -> bool:
        """One modifier after the noun; False if the next word belongs to the outer phrase."""
        selectors = phrase["selectors"]
        if self.peek() == "and" and self.peek(1) in ("with", "holding", "wearing"):
            self.position += 1
        word = self.peek()
        self.position += 1
        if word in ("standing", "parked", "is"):
            return True
        if word in ("who", "that"):
            self.need("is")
        elif word in ("facing", "looking"):
            phrase["attributes"].append(("facing", self.need("left", "right"), ""))
        elif word == "without" or (word in ("with", "no") and "no" in (word, self.peek())):
            self.take("a", "no")
            self.need("hat")
            phrase["attributes"].append(("bare", "", ""))
        elif word == "in" and self.peek(self.peek() == "the") in (
            "front",
            "back",
            "middle",
            "center",
        ):
            self.take("the")
            name = self.need("front", "back", "middle", "center")
            if name == "front" and self.take("of"):
                self.relation(phrase, "front")
            elif name == "middle" and self.take("of"):
                self.image()
                selectors.append(("side", "middle"))
            else:
                selectors.append(("middle" if name == "center" else name,))
        elif word in ("in", "with", "wearing", "holding"):
            self.items(phrase)
        elif word == "on":
            self.take("the")
            self.take("far")
            side = self.need("left", "right")
            if self.take("side"):
                if self.take("of"):
                    self.image()
                selectors.append(("side", side))
            else:
                selectors.append((side,))
        elif word == "to" or word in ("left", "right"):
            if word == "to":
                self.need("the")
                word = self.need("left", "right")
            if self.take("of"):
                self.relation(phrase, word)
            else:
                selectors.append((word,))
        elif word == "far":
            selectors.append((self.need("left", "right"),))
        elif word == "at":
            self.need("the")
            self.need("back")
            selectors.append(("back",))
        elif word in ("closest", "nearest"):
            self.need("to")
            self.viewer()
            selectors.append(("front",))
        elif word == "farthest":
            if not self.take("away"):
                self.need("from")
                self.viewer()
            selectors.append(("back",))
        elif word in RANKS:
            self.need("from")
            self.take("the")
            selectors.append(("nth", RANKS[word], self.need("left", "right"), True))
        elif word == "next":
            self.need("to")
            self.relation(phrase, "next")
        elif word in ("beside", "behind", "between"):
            self.relation(phrase, {"beside": "next"}.get(word, word))
        else:
            self.position -= 1
            if not inner:
                raise SentenceError(f"{' '.join(self.words)!r}: cannot parse {word!r}")
            return False
        return True

    def viewer(self) -> None:
        if not self.take("us"):
            self.need("the")
            self.need("camera")

    def image(self) -> None:
        self.take("the")
        self.need("picture", "image", "photo")

    def items(self, phrase: Phrase) -> None:
        """Garments and held objects: "a red striped shirt and blue pants", or a colour alone."""
        while True:
            self.take(*ARTICLES)
            colour = pattern = ""
            while self.peek() in COLOURS or self.peek() in PATTERNS:
                if self.peek() in COLOURS:
                    colour = self.peek()
                else:
                    pattern = PATTERNS[self.peek()]
                self.position += 1
            item = self.take(*ITEMS)
            if item:
                phrase["attributes"].append((item, colour, pattern))
            elif colour and not pattern:
                phrase["attributes"].append(("in", colour, ""))
            else:
                raise SentenceError(f"{' '.join(self.words)!r}: no garment or held object")
            following = self.position + 1
            while following < len(self.words) and (
                self.words[following] in ARTICLES | COLOURS or self.words[following] in PATTERNS
            ):
                following += 1
            more = following < len(self.words) and self.words[following] in ITEMS
            if self.peek() == "and" and more:
                self.position += 1
            elif not (item in WORN and self.peek() in COLOURS | set(PATTERNS) | ARTICLES):
                return

    def relation(self, phrase: Phrase, name: str) -> None:
        anchors = [self.phrase(inner=True)]
        if name == "between":
            self.need("and")
            anchors.append(self.phrase(inner=True))
        phrase["relation"] = (name, anchors)


class SceneEvaluator:
    """Computes what parsed sentences denote in one scene."""

    def __init__(self, scene: Scene) -> None:
        self.objects: list[Object] = scene["things"]
        self.width: int = scene["width"]
        self.height: int = scene["height"]

    def x(self, i: int) -> float:
        box = self.objects[i]["box"]
        return float(box[0] + box[2]) / 2 / self.width

    def ground(self, i: int) -> float:
        return float(self.objects[i]["ground"]) / self.height

    def has(self, i: int, attribute: tuple[str, str, str]) -> tuple[bool, bool]:
        """Whether an object has a property: widely, and clearly."""
        obj = self.objects[i]
        name, colour, pattern = attribute
        person = obj["kind"] in PEOPLE
        if name == "facing":
            has_front = obj["kind"] in NOUNS["animal"] | {"car", "bus"}
            return (has_front and obj["facing"] == colour,) * 2
        if name == "body":
            fits = colour in ("", obj["colour"]) and pattern in ("", obj["pattern"])
            return (fits and not person,) * 2
        if not person:
            return False, False
        whole = obj["visible"] >= 0.75
        head = whole and obj["box"][1] <= obj["ground"] - 0.93 * obj["height"]
        lower, hat = obj.get("lower_colour", ""), obj.get("hat", "")
        if name == "in":
            clear = colour == obj["colour"]
            return clear or colour in (lower, obj.get("hat_colour", "")), clear
        if name == "shirt":
            return (colour in ("", obj["colour"]) and pattern in ("", obj["pattern"]),) * 2
        if name in ("pants", "skirt", "shorts"):
            worn = {"man": "pants", "woman": "skirt", "child": "shorts"}[obj["kind"]]
            feet = obj["box"][3] >= obj["ground"] - 0.1 * obj["height"]
            wide = colour in ("", lower)
            return wide, wide and whole and feet and worn == name
        if name == "bare":
            return not hat, not hat and head
        if name in ("hat", "cap", "beanie"):
            wide = bool(hat) and name in ("hat", hat) and colour in ("", obj["hat_colour"])
            return wide, wide and head
        wide = obj.get("holding", "") == name and colour in ("", obj["holding_colour"])
        return wide, wide and whole

    def ranked(self, candidates: set[int], rank: int, side: str) -> set[int]:
        """Those that may be the rank-th from a side, where 6 % of the width is a tie."""
        xs = {i: self.x(i) if side == "left" else 1 - self.x(i) for i in candidates}
        possible = set()
        for i in candidates:
            surely = [j for j in candidates if xs[j] < xs[i] - 0.06]
            perhaps = [j for j in candidates if j != i and xs[j] < xs[i] + 0.06]
            if len(surely) < rank <= len(perhaps) + 1:
                possible.add(i)
        return possible

    def select(self, selector: tuple[Any, ...], candidates: set[int]) -> tuple[set[int], set[int]]:
        name, count = selector[0], len(candidates)
        wide: set[int] = set()
        if name == "side":
            ranges = {
                "left": ((-1, 0.45), (-1, 1 / 3)), "right": ((0.55, 2), (2 / 3, 2)),
                "middle": ((0.3, 0.7), (0.42, 0.58)),
            }[selector[1]]  # fmt: skip
            both = [{i for i in candidates if low < self.x(i) < high} for low, high in ranges]
            return both[0], both[1]
        if name in ("left", "right"):
            if count == 1:
                (i,) = candidates
                offset = self.x(i) if name == "left" else 1 - self.x(i)
                wide = candidates if offset < 1 / 3 else set()
            else:
                wide = self.ranked(candidates, 1, name)
        elif name == "middle":
            wide = self.ranked(candidates, count // 2 + 1, "left") if count in (3, 5) else set()
        elif name == "nth":
            if 1 < selector[1] < count:
                wide = self.ranked(candidates, selector[1], selector[2])
        elif count >= 2:
            if name in ("front", "back"):
                sign = 1 if name == "front" else -1
                extreme = max(sign * self.ground(i) for i in candidates)
                wide = {i for i in candidates if sign * self.ground(i) > extreme - 0.05}
            else:
                sizes = {i: self.objects[i]["height"] for i in candidates}
                if name == "big":
                    wide = {i for i in candidates if sizes[i] * 1.3 > max(sizes.values())}
                else:
                    wide = {i for i in candidates if sizes[i] < min(sizes.values()) * 1.3}
        return wide, wide if len(wide) == 1 else set()

    def related(self, name: str, i: int, anchors: list[int]) -> tuple[bool, bool]:
        j = anchors[0]
        a, b = self.objects[i]["box"], self.objects[j]["box"]
        down = self.ground(i) - self.ground(j)
        if name in ("left", "right"):
            gap = self.x(j) - self.x(i) if name == "left" else self.x(i) - self.x(j)
            half = (b[2] - b[0]) / 2 / self.width
            return gap > 0, gap >= 0.06 and gap >= half and abs(down) <= 0.25
        if name == "next":
            space = max(0, a[0] - b[2], b[0] - a[2]) / self.width
            return space <= 0.15 and abs(down) <= 0.15, space <= 0.06 and abs(down) <= 0.06
        if name == "between":
            low, high = sorted(self.x(k) for k in anchors)
            level = all(abs(self.ground(k) - self.ground(i)) <= 0.2 for k in anchors)
            return low < self.x(i) < high, level and low + 0.06 <= self.x(i) <= high - 0.06
        if name == "front":
            a, b, down = b, a, -down
        shared = min(a[2], b[2]) - max(a[0], b[0])
        enough = shared >= 0.5 * min(a[2] - a[0], b[2] - b[0])
        reaches = a[3] >= b[1] - 0.08 * self.height
        return shared > -0.1 * self.width and down < 0, enough and -down >= 0.05 and reaches

    def denote(self, phrase: Phrase) -> tuple[set[int], set[int]]:
        """The objects that a phrase may denote, and those that it clearly denotes."""
        kinds = NOUNS[phrase["noun"]]
        everything = range(len(self.objects))
        noun = {i for i in everything if self.objects[i]["kind"] in kinds}
        plain = {i for i in noun if self.objects[i]["visible"] >= 0.4}
        clear = {i for i in plain if self.objects[i]["area"] >= 60}
        if phrase["noun"] == "umbrella":
            noun |= {i for i in everything if self.objects[i].get("holding") == "umbrella"}
        wide = set(noun)
        for attribute in phrase["attributes"]:
            wide = {i for i in wide if self.has(i, attribute)[0]}
            clear = {i for i in clear if all(self.has(i, attribute))}
        candidates = set(wide)
        for selector in phrase["selectors"]:
            counted = noun if selector[0] == "nth" and selector[3] else candidates
            selected, surely = self.select(selector, counted)
            wide, clear = wide & selected, clear & surely
        if phrase["relation"] is not None:
            name, inner_phrases = phrase["relation"]
            anchors: list[int] = []
            for inner_phrase in inner_phrases:
                anchor, clear_anchor = self.denote(inner_phrase)
                if anchor != clear_anchor or len(anchor) != 1:
                    return set(), set()
                anchors += anchor
            pairs = {i: self.related(name, i, anchors) for i in candidates if i not in anchors}
            wide &= {i for i, pair in pairs.items() if pair[0]}
            clear &= {i for i, pair in pairs.items() if all(pair)}
        return wide, clear


def denoted(sentence: str, scene: Scene) -> set[int]:
    """Compute what a sentence denotes.

    Args:
        sentence: in the normalised form (``sent``).
        scene: an entry of scenes.json.

    Returns:
        Annotation ids of all objects that it may denote; none if it denotes nothing clearly.
    """
    evaluator = SceneEvaluator(scene)
    wide, clear = evaluator.denote(Parser(sentence).sentence())
    if not clear:
        return set()
    return {evaluator.objects[i]["ann_id"] for i in wide}
