"""What of planned runs is measured already. Reads results, not the data."""

from collections.abc import Sequence

from spn.benchmark.planned import RunPlan
from spn.data.declaration import parse_split
from spn.data.registry import built_in, parse_data_argument
from spn.evaluation.results import DomainResult, read_results
from spn.inference.tta import protocol
from spn.report.comparison import Comparison, load_comparison


def missing(run: RunPlan) -> str | None:
    """What the run still lacks, as a sentence; None if it is finished."""
    if not run.results.is_file():
        return f"{run.name}: not evaluated yet (no {run.results})"
    measured = read_results(run.results).domains
    lacking = [text for text in run.domains if not any(_is_planned(one, text, run) for one in measured)]
    return f"{run.name}: not evaluated on {', '.join(lacking)}" if lacking else None


def compared(runs: Sequence[RunPlan], *, names: Sequence[str], own_protocols: bool = False) -> Comparison:
    """The finished `runs` side by side, each on its domains and no others. names: one per run, as in
    `load_comparison`."""
    files = {run.results: run for run in runs}
    return load_comparison(
        list(files),
        names=names,
        wanted=lambda file, result: any(
            _is_planned(result, text, files[file]) for text in files[file].domains
        ),
        own_protocols=own_protocols,
    )


def _is_planned(result: DomainResult, text: str, run: RunPlan) -> bool:
    """Whether `result` is of what KEY[/MAP]=PATH[:SPLIT] names, seen as `run` is to see it.

    As far as can be told without the data: a custom dataset's key is in its own file.
    """
    argument = parse_data_argument(text)
    split, known = argument.split, built_in()
    if argument.key in known:
        same_key = result.key == argument.key
        split = split and "+".join(map(str, parse_split(known[argument.key], split)))
    else:
        same_key = result.key not in known
    same_place = same_key and split in (None, result.split) and argument.map_name in (None, result.map_name)
    return same_place and result.protocol_name == protocol(run.tta)["name"]
