"""What the people and the attackers of one trace share: the countries, their numbers and their addresses.

Made by scenarios for each seed; people, crowds and the attacks draw from it. Holds no time and no requests.
"""

from __future__ import annotations

from service.errors import GatewayError
from service.simulation.population.addresses import Addresses
from service.simulation.population.countries import COUNTRIES, CountryTraits
from service.simulation.population.dice import Dice
from service.simulation.population.numbering import Numbering


class ScenarioError(GatewayError):
    """There is no such scenario or knob, or the value is not allowed."""


class World:
    """The countries that the product serves."""

    def __init__(self, dice: Dice, countries: tuple[str, ...]) -> None:
        """Draw the numbering of each. Raises ScenarioError for a country that is not in the table."""
        if unknown := sorted(set(countries) - COUNTRIES.keys()):
            raise ScenarioError(f"nothing is known of people in {', '.join(unknown)}, only in {', '.join(COUNTRIES)}")
        self.countries: list[CountryTraits] = [COUNTRIES[code] for code in countries]
        self.numbers = {code: Numbering(COUNTRIES[code], dice.fork(code)) for code in countries}
        places = {code: place for place, code in enumerate(COUNTRIES)}
        self.addresses = {code: Addresses(places[code]) for code in countries}

    def pick(self, dice: Dice, wanted: str = "") -> str:
        """Draw a served country, or return the wanted one. Raises ScenarioError if that is not served."""
        if wanted and wanted not in self.numbers:
            raise ScenarioError(f"{wanted} is not one of the countries that the people live in")
        return wanted or dice.pick(self.countries).code
