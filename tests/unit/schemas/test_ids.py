"""Identity: two ways to write it down give one."""

from hypothesis import given
from hypothesis import strategies as st

from ft.schemas.ids import asset_uuid, asset_uuid_text


@given(st.text(max_size=120))
def test_the_quick_uuid_of_an_asset_is_its_uuid(natural_key: str) -> None:
    assert asset_uuid_text(natural_key) == str(asset_uuid(natural_key))
