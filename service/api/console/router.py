"""Every page of the console, under one path and one way to answer errors.

Routed by app. Holds no handler of its own.
"""

from __future__ import annotations

from litestar import Router

from service.api.console import blocks, callbacks, doctor, entry, exemptions, now, records, rules, why
from service.api.console.pages import prepare, read_script, read_style

router = Router(
    "/operator",
    route_handlers=[
        read_style,
        read_script,
        entry.show_sign_in,
        entry.sign_in,
        entry.sign_out,
        entry.show_nothing,
        now.show_now,
        why.show_search,
        why.search,
        why.show_verification,
        rules.show_rules,
        rules.show_policy,
        rules.begin_backtest,
        rules.show_backtest,
        callbacks.show_callbacks,
        callbacks.set_receiver,
        callbacks.change_receiver,
        doctor.show_doctor,
        doctor.examine_again,
        records.show_audits,
        records.show_keys,
        records.make_key,
        records.revoke_key,
        blocks.show_blocks,
        blocks.set_block,
        blocks.lift_block,
        exemptions.show_exemptions,
        exemptions.set_exemption,
        exemptions.lift_exemption,
        exemptions.exempt_number,
    ],
    before_request=prepare,
    exception_handlers={Exception: entry.answer_page},
)
