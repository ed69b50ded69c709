"""Which answers are those of no registry, and how messages tell an answer."""

import pytest

from ft.streams.kafka.registry_errors import TOLD_MAX, in_a_line, is_nobodys

PAGE = '<!DOCTYPE HTML>\n<html lang="en">\n<h1>Unsupported method</h1>\n</html>'


@pytest.mark.parametrize("status", [401, 403, 408, 429, 500, 502, 503, 504])
def test_an_answer_that_may_be_a_proxys_before_a_registry_is_not_nobodys(status: int) -> None:
    assert not is_nobodys(status, None)


@pytest.mark.parametrize(("status", "code"), [(404, None), (405, None), (501, None), (501, -1)])
def test_another_answer_without_a_code_of_confluents_api_is_nobodys(status: int, code: object) -> None:
    assert is_nobodys(status, code)


def test_a_method_that_a_registry_has_not_is_the_registrys_answer_by_its_code() -> None:
    assert not is_nobodys(501, 50101)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(PAGE, "text/html;charset=utf-8"), (PAGE, ""), (f"\n{PAGE}", "application/json"), ("<p>no", "text/html")],
)
def test_a_page_of_html_is_told_as_that(body: str, content_type: str) -> None:
    assert in_a_line(501, body, content_type) == "501, a page of HTML"


def test_another_answer_is_told_in_one_line_and_not_at_any_length() -> None:
    assert in_a_line(200, '{"name": "x"}', "application/json") == '200 {"name": "x"}'
    assert in_a_line(502, "no\r\nupstream\n", "text/plain") == "502 no upstream"
    assert in_a_line(503, "") == "503"
    assert len(in_a_line(500, "x" * 1000)) == len("500 ") + TOLD_MAX
