"""Draw the picture of the landing page: one scene of the sample, three sentences, three answers."""

from pathlib import Path

from risbook.data import open_data
from risbook.figures import show_panels, use_style

SENTENCES = ("the far left white sheep", "third sheep from right", "lady wearing gray hat")
TARGET = Path(__file__).resolve().parent.parent / "_static" / "three_sentences.png"


def main() -> None:
    """Write the picture."""
    import matplotlib

    matplotlib.use("agg")
    use_style()
    data = open_data("refscenes-sample")
    chosen = [next(e for e in data.expressions if e.sent == sentence) for sentence in SENTENCES]
    figure = show_panels(
        [{"image": data.image(e), "truth": data.mask(e), "title": f'"{e.sent}"'} for e in chosen],
        cell=2.6,
    )
    figure.savefig(TARGET, dpi=150, bbox_inches="tight", pad_inches=0.05)
    print(TARGET.relative_to(TARGET.parents[2]))


if __name__ == "__main__":
    main()
