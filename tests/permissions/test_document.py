"""docs/permissions.md says what the template allows."""

from tests.permissions.document import BEGIN, PAGE, with_tables
from tests.permissions.granted import grants


def test_the_page_has_every_role_as_it_is() -> None:
    page = PAGE.read_text("utf-8")
    assert page == with_tables(page), "write it anew: python -m tests.permissions.document"
    for who in {grant.who for grant in grants()}:
        assert f"### `{who}`" in page.partition(BEGIN)[2]
