"""policy and openapi: what is sound passes, what is not is said with its place and exit code 1."""

from __future__ import annotations

import json
from pathlib import Path

from service.cli.openapi import OPENAPI
from service.policy import loading
from tests.support.commands import CHECKOUT, run, run_inside


async def test_the_shipped_policy_is_valid() -> None:
    done = await run_inside("policy", "check")
    assert (done.code, done.err) == (0, "")
    assert loading.parse("").default.version in done.out


async def test_a_policy_is_checked_by_argument_or_by_setting(tmp_path: Path) -> None:
    broken, sound = tmp_path / "broken.toml", tmp_path / "sound.toml"
    broken.write_text('[limits]\nphone = ["3/10m", "x"]\n\n[clients.shop]\nip_required = 1\n')
    sound.write_text("[clients.shop]\nip_required = false\n")
    setting = {"POLICY_FILE": str(broken)}
    said = (await run_inside("policy", "check", str(broken))).sentence()
    assert said.splitlines()[1].startswith("  line 2: limits.phone: ")
    assert said.splitlines()[2].startswith("  line 5: clients.shop.ip_required: ")
    assert (await run_inside("policy", "check", settings=setting)).sentence() == said
    assert (await run_inside("policy", "show", settings=setting)).sentence() == said
    assert "own: 1." in (await run_inside("policy", "check", str(sound), settings=setting)).out
    assert (await run_inside("policy", "check", str(tmp_path / "gone.toml"))).code == 2


async def test_a_setting_under_its_old_name_is_valid_and_named(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text("[alerts]\na_minute = 3\n")
    done = await run_inside("policy", "check", str(own))
    assert done.code == 0
    assert "line 2: alerts.a_minute: is called above_sends_per_minute now" in done.out.splitlines()[0]


async def test_what_shares_a_calling_code_and_is_not_allowed_is_named(tmp_path: Path) -> None:
    shipped = (await run_inside("policy", "check")).out
    [note] = [line for line in shipped.splitlines() if line.startswith("Note: ")]
    assert note.startswith("Note: CA, US allowed, ")
    assert {"PR", "GU", "VI", "AS", "MP", "JM"} <= set(note.replace(",", "").replace(".", "").split())
    own = tmp_path / "own.toml"
    own.write_text('[countries]\nallow = ["FR", "GB", "JE"]\n[clients.shop.countries]\nallow = ["FI"]\n')
    notes = [line for line in (await run_inside("policy", "check", str(own))).out.splitlines() if "+" in line]
    assert len(notes) == 2
    assert "GB, JE allowed, but not what shares +44 with them: GG, IM." in notes[0]
    assert "FI allowed for shop, but not what shares +358 with it: AX." in notes[1]


async def test_what_policy_show_prints_is_a_policy_file(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('[limits]\nphone = ["1/1m"]\n')
    done = await run_inside("policy", "show", settings={"POLICY_FILE": str(own)})
    again = tmp_path / "again.toml"
    again.write_text(done.out)
    assert (await run_inside("policy", "check", str(again))).code == 0
    assert 'phone = ["1/1m"]' in done.out


async def test_openapi_writes_what_it_then_finds_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "openapi.json"
    assert "not what the app says" in (await run_inside("openapi", "--check", "--file", str(path))).sentence()
    assert (await run_inside("openapi", "--file", str(path))).code == 0
    assert path.read_bytes() == (CHECKOUT / OPENAPI).read_bytes()
    assert (await run_inside("openapi", "--check", "--file", str(path))).code == 0
    document = json.loads(path.read_text())
    document["info"]["title"] = "another"
    path.write_text(json.dumps(document))
    said = (await run_inside("openapi", "--check", "--file", str(path))).sentence()
    assert "run verify-gateway openapi" in said


async def test_the_committed_file_is_checked_where_it_is() -> None:
    done = await run("openapi", "--check")
    assert (done.code, done.err) == (0, "")


async def test_openapi_says_where_it_cannot_write(tmp_path: Path) -> None:
    assert "gone" in (await run_inside("openapi", "--file", str(tmp_path / "gone" / "openapi.json"))).sentence()
