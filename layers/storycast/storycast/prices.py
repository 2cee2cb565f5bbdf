"""Prices: one dated table of AWS's list prices, and what stands for a price that it does not have."""

from functools import cache
from importlib.resources import files

from storycast.footage import Record
from storycast.model_ids import plain_model_id


class Price(Record):
    """What one unit of something costs."""

    item: str
    model: str | None
    """The model that it is the price of; None where there is no choice of model."""
    usd: float
    unit: str
    confirmed: bool
    """Whether the source is AWS's own list."""
    source: str
    known: bool = True
    """False where the table has no price of the model, and the dearest one of the same kind stands for it."""


class PriceTable(Record):
    """All prices, as of one day."""

    as_of: str
    """ISO date on which the prices were looked up."""
    region: str
    currency: str
    about: str
    prices: tuple[Price, ...]

    def has(self, item: str, model_id: str) -> bool:
        """Whether the table has the price of a kind of thing from this very model."""
        return any(price.item == item and price.model == plain_model_id(model_id) for price in self.prices)

    def knows(self, model_id: str) -> bool:
        """Whether the table has any price of a model."""
        return any(price.model == plain_model_id(model_id) for price in self.prices)

    def price(self, item: str, model_id: str | None = None) -> Price:
        """Return the price of a kind of thing, from a model where there are several.

        A model that the table does not know is counted at the dearest price of its kind, and marked: nothing
        is ever counted as free because nobody looked its price up.

        Args:
            item: Such as ``embedding``.
            model_id: Id of a model or of an inference profile for it.

        Raises:
            KeyError: There is no such kind of thing.
        """
        of_item = [price for price in self.prices if price.item == item]
        if not of_item:
            raise KeyError(item)
        plain = plain_model_id(model_id) if model_id else None
        for price in of_item:
            if price.model == plain:
                return price
        dearest = max(of_item, key=lambda price: price.usd)
        said = f"No price of {plain} is known; counted" if plain else "Counted"
        source = f"{said} as {dearest.model}, the dearest one known"
        return dearest.model_copy(update={"model": plain, "known": False, "confirmed": False, "source": source})


@cache
def price_table() -> PriceTable:
    """Return the table that came with this release."""
    return PriceTable.model_validate_json(files("storycast").joinpath("prices.json").read_bytes())


def usd(amount: float) -> str:
    """Return an amount for people: in cents, below a dollar to a hundredth of one."""
    return f"${amount:.4f}" if 0 < amount < 1 else f"${amount:,.2f}"
