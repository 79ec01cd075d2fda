"""What deploy/ and the Dockerfile say of the gateway is true: its settings, its ports, its limits on itself."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from service.cli.process.serving import SHUTDOWN
from service.policy.loading import parse
from service.settings import Settings
from tests.support.commands import CHECKOUT
from tests.support.programs import DEPLOY, ask_program

SETTINGS = {name.upper() for name in Settings.model_fields}
REQUIRED = {name.upper() for name, field in Settings.model_fields.items() if field.is_required()}
# What env.example holds for the programs beside the gateway.
OTHERS = {"POSTGRES_PASSWORD", "GRAFANA_PASSWORD", "DOMAIN"}
KUBERNETES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))


def read(path: str) -> str:
    return (CHECKOUT / path).read_text(encoding="utf-8")


def read_yaml(path: str) -> Any:
    return msgspec.yaml.decode(read(path))


def read_env(path: str) -> set[str]:
    return set(re.findall(r"^(\w+)=", read(path), re.MULTILINE))


def read_secrets() -> set[str]:
    """Return what the secret of Kubernetes is to hold."""
    [named] = re.findall(r"# with ((?:\w+(?:, )?)+) in secrets.env", read("deploy/kubernetes/kustomization.yaml"))
    return set(named.split(", "))


def pods() -> list[dict[str, Any]]:
    """Return what the Deployment and the Job run."""
    return [read_yaml(f"deploy/kubernetes/{name}.yaml")["spec"]["template"]["spec"] for name in ("gateway", "migrate")]


def test_compose_gives_the_gateway_settings_that_it_knows_and_all_that_it_needs() -> None:
    services = read_yaml("deploy/compose.yaml")["services"]
    given = set(services["gateway"]["environment"])
    asked = read_env("deploy/env.example")
    assert (given | asked) - OTHERS <= SETTINGS
    assert given | asked >= REQUIRED
    assert set(re.findall(r"\$\{(\w+)", read("deploy/compose.yaml"))) == OTHERS
    assert asked >= OTHERS


def test_both_ask_for_all_that_the_page_says_to_set() -> None:
    page = set(re.findall(r"(?m)^(\w+)=", read("docs/run.md").partition("cat > settings.env")[2].partition("\nEND")[0]))
    assert {"WEBHOOK_URL", "CAPTCHA_SECRET", "ALERT_WEBHOOK_URL", "POLICY_FILE"} < page
    compose = set(read_yaml("deploy/compose.yaml")["services"]["gateway"]["environment"]) | read_env(
        "deploy/env.example"
    )
    kubernetes = read_env("deploy/kubernetes/settings.env") | read_secrets()
    for given in (compose, kubernetes):
        assert page - given == {"DOCTOR_ACCEPTED"}, "which somebody sets who has thought about a warning"


def test_composes_gateway_reads_a_policy_that_is_mounted_and_valid() -> None:
    gateway = read_yaml("deploy/compose.yaml")["services"]["gateway"]
    [mount] = gateway["volumes"]
    source, target, mode = mount.split(":")
    assert (gateway["environment"]["POLICY_FILE"], mode) == (target, "ro")
    parse((DEPLOY / source).read_text(encoding="utf-8"))


def test_a_process_that_stops_is_given_the_time_that_the_page_says() -> None:
    [seconds] = map(int, re.findall(r"allow (\d+) s before you send SIGKILL", read("docs/operations.md")))
    assert seconds > 3 * SHUTDOWN
    compose = read_yaml("deploy/compose.yaml")["services"]["gateway"]["stop_grace_period"]
    [systemd] = re.findall(r"(?m)^TimeoutStopSec=(\d+)$", read("deploy/systemd/verify-gateway.service"))
    pod = pods()[0]
    [container] = pod["containers"]
    pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    given = [int(compose.removesuffix("s")), int(systemd), pod["terminationGracePeriodSeconds"] - pause]
    assert given == [seconds] * 3


def test_compose_shows_other_machines_the_proxy_alone() -> None:
    services = read_yaml("deploy/compose.yaml")["services"]
    shown = {name for name, one in services.items() for port in one.get("ports", []) if port.count(":") == 1}
    assert shown == {"proxy"}
    assert set(services) >= {"gateway", "postgres", "prometheus", "grafana"}


def test_compose_trusts_its_own_network_and_mounts_files_that_exist() -> None:
    compose = read_yaml("deploy/compose.yaml")
    [place] = compose["networks"]["default"]["ipam"]["config"]
    gateway = compose["services"]["gateway"]
    assert gateway["environment"]["TRUSTED_PROXIES"] == place["subnet"]
    assert gateway["environment"]["METRICS_HOST"] == gateway["hostname"]
    mounts = [mount for one in compose["services"].values() for mount in one.get("volumes", [])]
    for source in (mount.split(":")[0] for mount in mounts):
        assert source in compose["volumes"] or (DEPLOY / source).exists(), source


def test_kubernetes_gives_the_gateway_settings_that_it_knows_and_all_that_it_needs() -> None:
    kubernetes = DEPLOY / "kubernetes"
    plain = read_env("deploy/kubernetes/settings.env")
    own = {one["name"] for pod in pods() for container in pod["containers"] for one in container.get("env", [])}
    secret = read_secrets()
    assert plain | own | secret <= SETTINGS
    assert plain | secret >= REQUIRED
    parse((kubernetes / "policy.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("pod", pods(), ids=["gateway", "migrate"])
def test_a_pod_needs_no_root_and_writes_nowhere(pod: dict[str, Any]) -> None:
    [user] = re.findall(r"USER (\d+):\d+", read("Dockerfile"))
    own = pod["securityContext"]
    assert (own["runAsNonRoot"], own["runAsUser"], own["seccompProfile"]) == (
        True,
        int(user),
        {"type": "RuntimeDefault"},
    )
    assert pod["automountServiceAccountToken"] is False
    [container] = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert container["resources"]["limits"]["memory"]


def test_two_processes_are_probed_where_they_answer_and_one_always_stays() -> None:
    deployment = read_yaml("deploy/kubernetes/gateway.yaml")["spec"]
    disruption = read_yaml("deploy/kubernetes/disruption.yaml")["spec"]
    assert deployment["replicas"] >= 2 > disruption["minAvailable"] >= 1
    assert disruption["selector"] == deployment["selector"]
    [container] = deployment["template"]["spec"]["containers"]
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    # The pause, then thrice as long as serve waits for each of what it has to finish.
    assert deployment["template"]["spec"]["terminationGracePeriodSeconds"] > 5 + 3 * SHUTDOWN


def test_there_is_one_port_everywhere_and_one_for_the_metrics() -> None:
    port, metrics = str(Settings.model_fields["port"].default), "9464"
    assert set(re.findall(r"(?:PORT=|EXPOSE )(\d+)", read("Dockerfile"))) == {port}
    services = read_yaml("deploy/compose.yaml")["services"]
    assert services["gateway"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert services["proxy"]["environment"]["UPSTREAM"] == f"gateway:{port}"
    [container] = pods()[0]["containers"]
    assert [str(one["containerPort"]) for one in container["ports"]] == [port, metrics]
    network = read_yaml("deploy/kubernetes/network.yaml")["spec"]["ingress"]
    assert [str(rule["ports"][0]["port"]) for rule in network] == [port, metrics]
    assert f"127.0.0.1:{port}" in read("deploy/nginx/verify-gateway.conf")
    assert f"127.0.0.1:{port}" in read("deploy/caddy/Caddyfile")
    assert services["gateway"]["environment"]["METRICS_PORT"] == metrics
    assert f"METRICS_PORT={metrics}" in read("deploy/kubernetes/settings.env")
    [job] = read_yaml("deploy/prometheus/prometheus.yml")["scrape_configs"]
    assert str(job["dns_sd_configs"][0]["port"]) == metrics


def test_images_bear_the_version_of_the_project() -> None:
    version = tomllib.loads(read("pyproject.toml"))["project"]["version"]
    assert f'org.opencontainers.image.version="{version}"' in read("Dockerfile")
    assert read_yaml("deploy/compose.yaml")["services"]["gateway"]["image"] == f"verify-gateway:{version}"
    assert read_yaml("deploy/kubernetes/kustomization.yaml")["images"][0]["newTag"] == version


async def test_kustomize_makes_whole_manifests() -> None:
    code, said = await ask_program("kubectl", "kustomize", "kubernetes")
    assert code == 0, said
    listed = read_yaml("deploy/kubernetes/kustomization.yaml")["resources"]
    assert {path.name for path in KUBERNETES} == {*listed, "kustomization.yaml"}
    kinds = re.findall(r"^kind: (\w+)", said, re.MULTILINE)
    assert sorted(kinds) == [
        "ConfigMap", "ConfigMap", "Deployment", "Job", "Namespace", "NetworkPolicy", "PodDisruptionBudget", "Service",
    ]  # fmt: skip


async def test_systemd_takes_the_unit_and_finds_little_exposed(tmp_path: Path) -> None:
    unit = tmp_path / "verify-gateway.service"
    shipped = read("deploy/systemd/verify-gateway.service")
    unit.write_text(shipped.replace("ExecStart=/opt/verify-gateway/bin/verify-gateway", "ExecStart=/bin/true"))
    assert unit.read_text() != shipped
    code, said = await ask_program("systemd-analyze", "verify", unit)
    assert (code, said) == (0, "")
    # In tenths: 0 is shut off altogether, 96 is what a unit without a word on the matter has.
    code, said = await ask_program("systemd-analyze", "security", "--offline=true", "--threshold=20", unit)
    assert code == 0, said
