"""The countries that a trace's product serves: their size, waking hours, and how numbers are assigned.

Read by numbering, habits and world. The operators' number ranges are those of phonenumbers' metadata; here are only the
operators' market shares, rounded, and towns where area codes say more than operators do.
"""

from __future__ import annotations

import msgspec


class CountryTraits(msgspec.Struct, frozen=True, kw_only=True):
    """One country. `part`: its share of the product's traffic; `conversion`: of its requests that verify.

    `offsets`: hours ahead of UTC; `national`: digits after the calling code. `dealers` assign the numbers: an
    operator's name (its ranges are looked up) or a town with its area codes, and the share of the people.
    """

    code: str
    calling: str
    national: int
    offsets: tuple[float, ...]
    part: float
    conversion: float
    operators: dict[str, float] = {}
    towns: dict[str, tuple[float, tuple[str, ...]]] = {}


COUNTRIES = {
    country.code: country
    for country in (
        CountryTraits(
            code="US",
            calling="1",
            national=10,
            offsets=(-5, -5, -6, -6, -7, -8, -8),
            part=0.30,
            conversion=0.73,
            towns={
                "New York": (0.16, ("212", "646", "917", "347", "718", "929")),
                "Los Angeles": (0.14, ("213", "310", "323", "818", "424")),
                "Chicago": (0.10, ("312", "773", "872", "630")),
                "Houston": (0.10, ("713", "281", "832", "346")),
                "Atlanta": (0.09, ("404", "678", "470", "770")),
                "Seattle": (0.08, ("206", "425", "253")),
                "Miami": (0.09, ("305", "786", "954")),
                "Denver": (0.07, ("303", "720")),
                "Boise": (0.02, ("208", "986")),
                "Austin": (0.15, ("512", "737")),
            },
        ),
        CountryTraits(
            code="CA",
            calling="1",
            national=10,
            offsets=(-5, -5, -7, -8),
            part=0.06,
            conversion=0.72,
            towns={
                "Toronto": (0.5, ("416", "647", "437", "905")),
                "Vancouver": (0.3, ("604", "778", "236")),
                "Calgary": (0.2, ("403", "587")),
            },
        ),
        CountryTraits(
            code="GB",
            calling="44",
            national=10,
            offsets=(0,),
            part=0.14,
            conversion=0.72,
            operators={"EE": 0.3, "O2": 0.3, "Vodafone": 0.22, "Three": 0.15, "Lycamobile": 0.03},
        ),
        CountryTraits(
            code="DE",
            calling="49",
            national=11,
            offsets=(1,),
            part=0.12,
            conversion=0.73,
            operators={"T-Mobile": 0.36, "Vodafone": 0.3, "Eplus": 0.2, "O2": 0.14},
        ),
        CountryTraits(
            code="FR",
            calling="33",
            national=9,
            offsets=(1,),
            part=0.08,
            conversion=0.71,
            operators={"Orange France": 0.36, "SFR": 0.26, "Bouygues": 0.2, "Free Mobile": 0.18},
        ),
        CountryTraits(
            code="BR",
            calling="55",
            national=11,
            offsets=(-3,),
            part=0.08,
            conversion=0.68,
            operators={"Vivo": 0.4, "Claro": 0.34, "TIM": 0.26},
        ),
        CountryTraits(
            code="IN",
            calling="91",
            national=10,
            offsets=(5.5,),
            part=0.09,
            conversion=0.66,
            operators={"Reliance Jio": 0.42, "Airtel": 0.35, "Vodafone": 0.17, "BSNL MOBILE": 0.06},
        ),
        CountryTraits(
            code="MX",
            calling="52",
            national=10,
            offsets=(-6,),
            part=0.05,
            conversion=0.67,
            towns={
                "Ciudad de México": (0.6, ("55", "56")),
                "Guadalajara": (0.2, ("33",)),
                "Monterrey": (0.2, ("81",)),
            },
        ),
        CountryTraits(
            code="AU",
            calling="61",
            national=9,
            offsets=(8, 10, 11, 11),
            part=0.04,
            conversion=0.74,
            operators={"Telstra": 0.45, "Optus": 0.33, "Vodafone": 0.22},
        ),
        CountryTraits(
            code="PL",
            calling="48",
            national=9,
            offsets=(1,),
            part=0.04,
            conversion=0.72,
            operators={"Play": 0.3, "Orange": 0.27, "Plus": 0.23, "T-Mobile": 0.2},
        ),
    )
}

AWAKE = (3, 2, 1, 1, 1, 2, 6, 14, 26, 36, 42, 44, 46, 45, 43, 42, 43, 46, 52, 58, 56, 44, 26, 11)
"""How busy people are in each hour of their own day."""
