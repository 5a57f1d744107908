"""deploy/grafana and deploy/prometheus, and the queries in the docs: they name only what /metrics has.

Prometheus's own promtool checks more, but its package is large: see CONTRIBUTING.md.
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.helpers.pages import table
from tests.metrics.test_families import known
from trio_mpu.metrics.families import families
from trio_mpu.metrics.processes import process_families

ROOT: Final = Path(__file__).parents[2]
DEPLOY: Final = ROOT / "deploy"
DASHBOARD: Final = json.loads((DEPLOY / "grafana/trio-mpu.json").read_text("utf-8"))
ALERTS: Final = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text("utf-8"))
CONFIG: Final = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text("utf-8"))
OPERATIONS: Final = (ROOT / "docs/operations.md").read_text("utf-8")

METRIC: Final = re.compile(r"\b(?:trio_mpu|process)_\w+\b")
MATCHER: Final = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
# What Prometheus adds to each of our metrics, and what begins with a metric's name but is none.
ADDED: Final = {"instance", "job"}


def panels() -> list[dict[str, Any]]:
    """All that show something."""
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[tuple[str, str]]:
    """Each with its place."""
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["definition"]
    for rule in rules():
        yield rule["alert"], rule["expr"]
    for row in table(OPERATIONS, "Prometheus"):
        yield row["question"], row["query"].strip("`")


def rules() -> list[dict[str, Any]]:
    """Of all groups."""
    return [rule for group in ALERTS["groups"] for rule in group["rules"]]


def shown() -> dict[str, dict[str, set[str]]]:
    """The values of each label, of all that /metrics shows; with workers too."""
    found: dict[str, dict[str, set[str]]] = {}
    for family in (*families(known()), *process_families({}), *process_families({0: os.getpid()})):
        for sample in family.samples:
            labels = found.setdefault(sample.name, {})
            for label, value in sample.labels.items():
                labels.setdefault(label, set()).add(value)
    return found


SHOWN: Final = shown()


@pytest.mark.parametrize(("place", "expression"), [*expressions()])
def test_each_metric_is_one_that_there_is(place: str, expression: str) -> None:
    """With labels that it has, and with at least one of the values that are asked for."""
    names = METRIC.findall(expression)
    assert names or expression.startswith("up{")
    for name in names:
        assert name in SHOWN, name
    for name, matchers in re.findall(r"\b(\w+)\{([^}]*)\}", expression):
        for label, operator, value in MATCHER.findall(matchers):
            if label in ADDED:
                continue
            values = SHOWN[name][label]
            alternatives = value.split("|") if "~" in operator else [value]
            assert set(alternatives) <= values, (name, label)
    for group in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression):
        known_labels = ADDED.union(*[SHOWN[name] for name in names])
        assert set(group.split(", ")) <= known_labels


@pytest.mark.parametrize("expression", [expression for _, expression in expressions()])
def test_what_grows_is_shown_as_growth(expression: str) -> None:
    """A counter's or bucket's number since some start means nothing by itself."""
    for name in METRIC.findall(expression):
        if name.endswith(("_total", "_bucket", "_count", "_sum")):
            assert re.search(rf"\b(rate|increase)\({name}\b", expression), name
        else:
            assert not re.search(rf"\b(rate|increase)\({name}\b", expression), name


def test_parentheses_match() -> None:
    """Nobody parses the queries here."""
    for place, expression in expressions():
        for one, other in ("()", "[]", "{}"):
            assert expression.count(one) == expression.count(other), place


def test_every_loss_refusal_and_latency_is_seen_in_the_dashboard() -> None:
    """And so is each statistic of the sensor."""
    named = {
        name for panel in panels() for t in panel["targets"] for name in METRIC.findall(t["expr"])
    }
    wanted = [
        name
        for name in SHOWN
        if re.search(
            "_lost_|gaps|refusals|bucket|acceleration|angular_rate|celsius|_age|rate", name
        )
    ]
    assert len(wanted) > 15
    assert set(wanted) - named == set()


def test_the_dashboard_is_sound() -> None:
    """Variables for the data source and the server, which every panel uses; no two panels overlap."""
    variables = {variable["name"]: variable["type"] for variable in DASHBOARD["templating"]["list"]}
    assert variables == {"datasource": "datasource", "instance": "query"}
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    rows = [panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "row"]
    assert rows == ["Sensor", "Loss", "Latency", "Clients", "Process"]
    taken = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, panel["title"]
                taken.add((x, y))
    for panel in panels():
        assert panel["datasource"]["uid"] == "${datasource}"
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}"
            assert 'instance=~"$instance"' in target["expr"]
    assert len({panel["title"] for panel in panels()}) == len(panels())


def test_every_alert_is_in_the_docs() -> None:
    """And no other; each has a severity and says what is wrong."""
    listed = [row["alert"].strip("`") for row in table(OPERATIONS, "Alerts")]
    assert listed == [rule["alert"] for rule in rules()]
    for rule in rules():
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert rule["annotations"].keys() == {"summary", "description"}


def test_prometheus_reads_as_often_as_the_window_is_long() -> None:
    """So that it misses no peak; and it finds the rules and the server's default port."""
    (job,) = CONFIG["scrape_configs"]
    assert CONFIG["global"]["scrape_interval"] == "10s"
    assert job["static_configs"] == [{"targets": ["localhost:3737"]}]
    (file,) = CONFIG["rule_files"]
    assert (DEPLOY / "prometheus" / file).exists()
    assert f'up{{job="{job["job_name"]}"}}' in rules()[0]["expr"]


# What promtool checks in the metrics themselves, for a reader of this page who has not got it.
ABBREVIATED: Final = re.compile(r"_(s|ms|us|ns|sec|b|kb|mb|gb|tb|pb|m|h|d)(_|$)")


def test_the_names_keep_to_the_conventions() -> None:
    """No abbreviated units, a total for each counter and for nothing else."""
    for family in families(known()):
        assert re.fullmatch("trio_mpu_[a-z0-9_]+", family.name)
        assert not ABBREVIATED.search(family.name), family.name
        assert family.documentation
        assert not family.name.endswith(("_total", "_count", "_sum", "_bucket", "_info"))
        assert not re.search("milli|micro|minutes|hours|kelvin|percent", family.name)
        for sample in family.samples:
            assert sample.name.endswith("_total") == (family.type == "counter")
