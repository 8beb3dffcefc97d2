"""promtool's unit tests, made of the examples: what each rule says is ours to compute, and promtool's to confirm."""

from collections.abc import Iterator
from typing import Any

from nextrade.ops.alerting.promql import evaluate
from nextrade.ops.alerting.rule import Rule
from nextrade.ops.render.rule_examples import STEP_S, Series, example, recorded
from nextrade.ops.render.site import Files, Site, as_yaml


def files(site: Site) -> Files:
    tests = [test for rule in site.rules for test in tests_of(rule, site)]
    content = {"rule_files": ["nextrade.rules.yml"], "evaluation_interval": f"{STEP_S}s", "tests": tests}
    return {"prometheus/nextrade.tests.yml": as_yaml(content, source="nextrade/ops/render/rule_examples.py")}


def tests_of(rule: Rule, site: Site) -> Iterator[dict[str, Any]]:
    shown = example(rule)
    for what, series in shown.quiet.items():
        yield _test(f"{rule.name} is silent {what}", series, [_asked(rule, shown.at_s, [])])
    fires_at_s = shown.at_s + rule.for_s
    alerts = expected(rule, shown.loud, fires_at_s, site)
    if not alerts:
        raise ValueError(f"the example of {rule.name} does not make it fire")
    early = [_asked(rule, rule.for_s - STEP_S, [])] if rule.for_s else []
    yield _test(f"{rule.name} fires", shown.loud, [*early, _asked(rule, fires_at_s, alerts)])


def expected(rule: Rule, series: tuple[Series, ...], at_s: float, site: Site) -> list[dict[str, Any]]:
    """The alerts that a rule makes of series, as promtool writes them."""
    found = evaluate(rule.expr, recorded(series), at_s)
    return [
        {
            "exp_labels": {name: text for name, text in rule.alert_labels(dict(labels)).items() if name != "alertname"},
            "exp_annotations": {
                "summary": rule.text(value, dict(labels)),
                "runbook_url": f"{site.runbooks}/{rule.name}.md",
            },
        }
        for labels, value in found.items()
    ]


def _asked(rule: Rule, at_s: int, alerts: list[dict[str, Any]]) -> dict[str, Any]:
    return {"eval_time": f"{at_s}s", "alertname": rule.name, "exp_alerts": alerts}


def _test(name: str, series: tuple[Series, ...], asked: list[dict[str, Any]]) -> dict[str, Any]:
    given = [{"series": each.selector(), "values": each.notation()} for each in series]
    return {"name": name, "interval": f"{STEP_S}s", "input_series": given, "alert_rule_test": asked}
