"""``risbook params``: what learns and what does not, for every system."""

from typing import TYPE_CHECKING

from risbook.cli.shared import print_json, print_table

if TYPE_CHECKING:
    from risbook.systems.parameters import ParameterReport


def params(systems: tuple[str, ...] = (), *, json: bool = False) -> None:
    """Count parameters, group by group, without making a single weight.

    Args:
        systems: names of systems (default: all of them).
        json: print JSON instead of a table.

    "tuned in backbone" counts what is tuned inside and between the two towers. Papers print it as a
    share of the image tower alone or of both towers. They count neither neck, decoder and projector
    nor the towers' position embeddings, which are tuned as well. "dead" counts tuned parameters
    whose gradient is zero by construction.
    """
    from risbook.systems.parameters import count_parameters
    from risbook.systems.system_presets import SYSTEMS, build_meta_system, get_system_preset

    for name in systems:
        get_system_preset(name)  # a wrong name is refused before anything is counted
    reports = [count_parameters(build_meta_system(name)) for name in systems or SYSTEMS]
    if json:
        print_json([report.as_dict() for report in reports])
        return
    print_table([_row(report) for report in reports])
    for report in reports if systems else ():
        print()
        print_table(
            [
                {
                    report.system: part.name,
                    "tuned": f"{part.tuned:,}",
                    "frozen": f"{part.frozen:,}",
                }
                for part in report.parts
            ]
        )


def _row(report: "ParameterReport") -> dict[str, str]:
    return {
        "system": report.system,
        "all": f"{report.total:,}",
        "tuned": f"{report.tuned:,}",
        "tuned in backbone": f"{report.backbone_tuned:,}",
        "of image tower": _percent(report.share_of_image_tower),
        "of towers": _percent(report.share_of_towers),
        "dead": f"{report.dead:,}",
    }


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f} %"
