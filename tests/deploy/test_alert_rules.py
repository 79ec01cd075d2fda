"""Every alert fires for its own cause and for nothing else; a real Prometheus sees an attack on a gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from service.operators.records import ALERT_KINDS
from tests.deploy.test_dashboard import list_rules
from tests.support.fraud import run_guarded
from tests.support.gateway import Gateway, make_key
from tests.support.ports import free_port
from tests.support.programs import DEPLOY, ask_program, find_program, run_program
from tests.support.promql import list_selectors
from tests.support.waiting import until

Series = dict[str, str]

# A quarter of an hour of a gateway that is well, a value every 15 seconds.
TAKEN = 'verify_http_requests_total{route="/v1/verifications",status="202"}'
SENT = 'verify_sends_total{channel="sms",provider="telnyx",outcome="sent"}'
RIGHT, WRONG = 'verify_guesses_total{outcome="right"}', 'verify_guesses_total{outcome="wrong"}'
FAST = 'verify_http_request_duration_seconds_bucket{route="/v1/verifications",le="0.05"}'
ANY = 'verify_http_request_duration_seconds_bucket{route="/v1/verifications",le="5"}'
ALL = 'verify_http_request_duration_seconds_bucket{route="/v1/verifications",le="+Inf"}'
UP = 'up{job="verify-gateway",instance="a"}'
WELL: Series = {
    UP: "1+0x60", 'up{job="verify-gateway",instance="b"}': "1+0x60",
    TAKEN: "0+15x60", 'verify_http_requests_total{route="/v1/verifications",status="503"}': "0+0x60",
    SENT: "0+15x60", RIGHT: "0+12x60", WRONG: "0+2x60", FAST: "0+15x60", ANY: "0+15x60", ALL: "0+15x60",
    "verify_provider_open": "0+0x60", 'verify_profile_open{client="shop"}': "0+0x60",
    "verify_backlog_seconds": "0+0x60", "verify_dispatch_slots_free": "180+0x60",
    'verify_http_connections_closed_total{why="slow"}': "0+5x60",
    **{f'verify_alert_open{{kind="{kind}"}}': "0+0x60" for kind in ALERT_KINDS},
}  # fmt: skip
CASES: dict[str, list[Series]] = {
    "VerifyProcessDown": [{UP: "1+0x40 0+0x20"}],
    "VerifyAllDown": [{UP: "_x60", 'up{job="verify-gateway",instance="b"}': "_x60"}],
    "VerifyTelnyxDown": [{"verify_provider_open": "0+0x50 1+0x10"}],
    "VerifyProfileDown": [{'verify_profile_open{client="shop"}': "0+0x50 1+0x10"}],
    "VerifyRefusing": [{'verify_http_requests_total{route="/v1/verifications",status="503"}': "0+1x60"}],
    "VerifyDefect": [{'verify_http_requests_total{route="/v1/verifications",status="500"}': "0+0x50 1+0x10"}],
    "VerifySlow": [{FAST: "0+10x60", ANY: "0+14x60"}],
    "VerifyConnectionsFull": [
        {f'verify_http_connections_closed_total{{why="{why}"}}': "0+1x60"} for why in ("crowded", "refused")
    ],
    "VerifyBacklog": [{"verify_backlog_seconds": "0+0x50 7+0x10"}],
    "VerifySlotsFull": [{"verify_dispatch_slots_free": "180+0x40 0+0x20"}],
    "VerifyNothingSent": [{SENT: "0+0x60"}, {SENT: "_x60"}],
    "VerifyAttack": [
        {f'verify_alert_open{{kind="{kind}"}}': "0+0x54 1+0x6"}
        for kind in ("volume", "spike", "conversion", "block", "budget")
    ],
    "VerifyDegraded": [
        {f'verify_alert_open{{kind="{kind}"}}': "0+0x50 1+0x10"}
        for kind in (
            "telnyx",
            "telnyx_profile",
            "fingerprint",
            "fingerprint_quota",
            "captcha",
            "webhooks",
            "signals",
            "suppressed",
        )
    ],
    "VerifyCodesGuessed": [{WRONG: "0+20x60", RIGHT: "0+1x60"}, {WRONG: "0+20x60", RIGHT: "_x60"}],
}
QUIET: list[Series] = [
    {},
    {"verify_backlog_seconds": "0+0x40 7 0+0x20"},  # for a moment
    {'verify_http_requests_total{route="/v1/verifications",status="503"}': "0+0x55 1+0x5"},  # one refusal
    {TAKEN: "0+0x60", SENT: "0+0x60", RIGHT: "0+0x60"},  # nobody asks for anything
    {WRONG: "0+20x60"},  # many codes, most of them right
]


def write_case(series: Series, rings: set[str]) -> dict[str, Any]:
    """Write what promtool tries: these series instead of the well ones, and which alerts ring at their end."""
    return {
        "interval": "15s",
        "input_series": [{"series": name, "values": values} for name, values in (WELL | series).items()],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": "14m",
                "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(rings)],
            }
        ],
    }


async def test_each_alert_fires_for_its_own_cause_and_the_others_do_not(tmp_path: Path) -> None:
    ringing = [write_case(series, {name}) for name, several in CASES.items() for series in several]
    quiet = [write_case(series, set()) for series in QUIET]
    file = tmp_path / "cases.yml"
    rules = [str(DEPLOY / "prometheus/alerts.yml")]
    file.write_bytes(msgspec.yaml.encode({"rule_files": rules, "evaluation_interval": "15s", "tests": ringing + quiet}))
    code, said = await ask_program("promtool", "test", "rules", file)
    assert code == 0, said


def test_every_alert_is_tried_and_says_how_urgent_it_is_and_what_is_wrong() -> None:
    rules = list_rules()
    assert [rule["alert"] for rule in rules] == list(CASES)
    for rule in rules:
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"].endswith(".")


def test_every_kind_of_incident_fires_an_alert() -> None:
    selectors = [selector for rule in list_rules() for selector in list_selectors(rule["expr"])]
    told = [dict(matchers)["kind"] for metric, matchers in selectors if metric == "verify_alert_open"]
    assert sorted(kind for kinds in told for kind in kinds) == sorted(ALERT_KINDS)


async def test_prometheus_takes_its_configuration() -> None:
    code, said = await ask_program("promtool", "check", "config", DEPLOY / "prometheus/prometheus.yml")
    assert code == 0, said


async def test_what_a_gateway_shows_keeps_prometheus_conventions(database_url: str, tmp_path: Path) -> None:
    find_program("promtool")
    async with run_guarded(database_url) as gateway:
        await gateway.begin()
        watch = await gateway.client("watch", scope="metrics")
        shown = tmp_path / "shown"
        shown.write_bytes((await watch.call("GET", "/metrics")).body)
    code, said = await ask_program("sh", "-c", f"promtool check metrics < {shown}")
    assert (code, said) == (0, "")


def configure(gateway: Gateway, folder: Path) -> Path:
    """Write the configuration that ships, for one gateway with a key, looking every second."""
    shipped = msgspec.yaml.decode((DEPLOY / "prometheus/prometheus.yml").read_bytes())
    [job] = shipped["scrape_configs"]
    assert job.pop("dns_sd_configs")
    job["static_configs"] = [{"targets": [gateway.url.removeprefix("http://")]}]
    job["authorization"] = {"credentials_file": str(folder / "key")}
    shipped["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    shipped["rule_files"] = [str(DEPLOY / "prometheus" / name) for name in shipped["rule_files"]]
    file = folder / "prometheus.yml"
    file.write_bytes(msgspec.yaml.encode(shipped))
    return file


async def test_a_prometheus_that_scrapes_a_gateway_under_attack_fires(database_url: str, tmp_path: Path) -> None:
    find_program("prometheus")
    place = f"127.0.0.1:{free_port()}"
    async with run_guarded(database_url) as gateway:
        (tmp_path / "key").write_text(await make_key(gateway.database, "watch", scope="metrics"))
        words = [f"--config.file={configure(gateway, tmp_path)}", f"--storage.tsdb.path={tmp_path / 'data'}"]
        words.append(f"--web.listen-address={place}")

        async def ask(path: str) -> Any:
            try:
                async with gateway.session.get(f"http://{place}/api/v1/{path}") as response:
                    return (await response.json())["data"]
            except aiohttp.ClientError:
                return {"alerts": [], "result": []}

        async def is_quiet() -> bool:
            shown = (await ask('query?query=verify_alert_open{kind="block"}'))["result"]
            return [sample["value"][1] for sample in shown] == ["0"]

        async def rings() -> bool:
            alerts = (await ask("alerts"))["alerts"]
            found = [(a["labels"]["alertname"], a["labels"].get("kind"), a["state"]) for a in alerts]
            return ("VerifyAttack", "block", "firing") in found

        async with run_program("prometheus", *words, log=tmp_path / "log", env={"GOMAXPROCS": "1"}):
            await until(is_quiet, "Prometheus reads the gateway")
            assert not await rings()
            for i in range(12):
                await gateway.begin(f"+1312555{1000 + i}", ip_address=f"198.51.100.{i}")
            await until(rings, "the attack rings")
