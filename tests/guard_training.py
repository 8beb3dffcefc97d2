"""Trains `agents/guarding/likeness.json`, what the input guard has learned: `python -m tests.guard_training [--write]`.

The texts are `../shared/data` and the read halves of `tests/data`; of the other halves nothing is learned. What is
printed: recall and false positives by the model alone, each text judged by a model that was trained without it.
"""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline

from agents.guarding import likeness
from agents.guarding.text import readable

DATA = Path(__file__).parent / "data"
SHARED = Path(__file__).parents[2] / "shared" / "data"
READ = frozenset({"open", "fresh_open", "near_open", "late", "unread_first"})
LOOKS_INNOCENT = "injecagent-goals"  # harmless where a person says them
FOLDS = 5
MOST_RARE = 4  # texts that a gram is in: with 2 the weights take twice the memory and find no more


def texts() -> list[dict[str, Any]]:
    own = [
        *rows(DATA / "guard_training.jsonl"),
        *rows(DATA / "guard_heldout.jsonl"),
        *rows(DATA / "guard_unread.jsonl"),
    ]
    public = [*rows(SHARED / "chat_safety_dev.jsonl"), *rows(SHARED / "public_injection_dev.jsonl")]
    return [row for row in own if row.get("half", "open") in READ] + [
        row for row in public if row.get("source") != LOOKS_INNOCENT
    ]


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def grams(text: str) -> set[str]:
    return set().union(*likeness.parts(readable(text)))


def untrained() -> Pipeline:
    return make_pipeline(
        TfidfVectorizer(analyzer=grams, min_df=MOST_RARE),
        LogisticRegression(C=20, max_iter=3000, class_weight="balanced"),
    )


def trained(given: list[str], labels: Iterable[bool]) -> dict[str, Any]:
    pipeline = untrained().fit(given, list(labels))
    vectorizer, regression = (step for _, step in pipeline.steps)
    names = vectorizer.get_feature_names_out()
    return {
        "bias": round(float(regression.intercept_[0]), 3),
        "grams": {
            str(name): [round(float(idf), 2), round(float(weight), 2)]
            for name, idf, weight in zip(names, vectorizer.idf_, regression.coef_[0], strict=True)
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {likeness.WEIGHTS.name}")
    args = parser.parse_args()
    learned = texts()
    given, is_attack = [row["text"] for row in learned], numpy.array([row["label"] == "attack" for row in learned])
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=1)
    told = cross_val_predict(untrained(), given, is_attack, cv=folds, method="predict_proba")[:, 1]
    print(f"{len(given)} texts, {is_attack.sum()} attacks")
    for wrong in (0.01, 0.005, 0.003, 0.002, 0.001):
        limit = numpy.quantile(told[~is_attack], 1 - wrong)
        print(f"from {limit:.3f}: wrong {100 * wrong:.1f} %, recall {100 * (told[is_attack] >= limit).mean():.1f} %")
    if args.write:
        model = trained(given, is_attack)
        lines = ",\n".join(
            f"{json.dumps(gram, ensure_ascii=False)}: {numbers}" for gram, numbers in model["grams"].items()
        )
        likeness.WEIGHTS.write_text(f'{{"bias": {model["bias"]}, "grams": {{\n{lines}\n}}}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
