"""The README.md of released weights, as the Hugging Face hub shows it."""

from collections.abc import Mapping, Sequence
from typing import Final

from huggingface_hub import EvalResult, ModelCardData

from spn.core.version import LICENCE
from spn.evaluation.grid import Grid, markdown_text
from spn.evaluation.results import DomainResult

_PURPOSE: Final = (
    "**No basis for anything safety-related.** It learned from synthetic images and errs without notice."
)
_LICENCE: Final = "CC BY-NC-SA 4.0, as the code. Each dataset that it was trained on has terms of its own."


def model_card(name: str, facts: Mapping[str, str], domains: Sequence[DomainResult]) -> str:
    """Markdown with the hub's metadata before it.

    facts: what there is to say of the network, by headings. domains: what was measured with its weights.
    """
    results = [
        EvalResult(
            task_type="image-segmentation",
            dataset_type=domain.key,
            dataset_name=domain.title or domain.key,
            dataset_split=domain.split,
            metric_type="mean_iou",
            metric_name=f"mIoU ({len(domain.classes_evaluated)} classes)",
            metric_value=round(100 * domain.miou, 2),
        )
        for domain in domains
        if domain.classes_evaluated
    ]
    metadata = ModelCardData(
        license=LICENCE.lower(),
        library_name="spn",
        pipeline_tag="image-segmentation",
        tags=["semantic-segmentation", "domain-generalization", "sim-to-real", "street-scenes"],
        model_name=name,
        eval_results=results or None,
    )
    rows = [
        (d.title or d.key, d.split, str(d.images), f"{100 * d.miou:.2f}", d.protocol_name) for d in domains
    ]
    measured = Grid(("dataset", "split", "images", "mIoU", "protocol"), rows, left=2).markdown()
    parts = {
        "Use": (
            "```sh\npip install spn-segmentation\n```\n\n```python\nimport spn\n\n"
            f'model = spn.load("hf://OWNER/{name}")\nmodel.predict("street.jpg").save("out/street")\n```'
        ),
        "What it is": Grid(("", ""), list(facts.items()), left=2).markdown().rstrip(),
        "Measured": measured.rstrip()
        if rows
        else "Nothing was measured with these weights before their release.",
        "Licence": _LICENCE,
    }
    title = f"# {markdown_text(name)}\n\nSemantic segmentation of streets by SPN. {_PURPOSE}\n"
    return f"---\n{metadata.to_yaml()}\n---\n\n{title}" + "".join(
        f"\n## {part}\n\n{text}\n" for part, text in parts.items()
    )
