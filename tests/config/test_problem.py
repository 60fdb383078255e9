"""A mistake as one line."""

from ohmstead.config.document import Document
from ohmstead.config.environment import overlay
from ohmstead.config.problem import Place, Problem, arrows


def test_the_form_of_a_line() -> None:
    problem = Problem(Place("home.yaml", 14), ("integrations", "heatpump", "evry"), 'unknown option. Did you mean "every"?')
    assert str(problem) == 'home.yaml:14  integrations → heatpump → evry: unknown option. Did you mean "every"?'
    assert str(Problem(Place("OHMSTEAD_PORT"), (), "no")) == "OHMSTEAD_PORT  no"
    assert arrows(("a", 0, "b")) == "a → item 1 → b"


def test_secrets_are_blanked_wherever_they_turn_up() -> None:
    document = Document("c.yaml", {"a": "hunter22", "b": "x"}, {("a",): Place("c.yaml", 1)}, {("a",): "hunter22", ("b",): "x"})
    document.wrong(("c",), "hunter22 is in this one, and x too")
    document.wrong(("b",), "x is short and blanked only where it stands")
    document.wrong(("b",), "x is short and blanked only where it stands")  # the same again is not said twice
    assert [problem.text for problem in document.problems] == [
        "••• is in this one, and x too",
        "••• is short and blanked only where it stands",
    ]
    assert document.secrets == {"hunter22"}


def test_nothing_more_is_said_of_what_could_not_be_read() -> None:
    document = Document("c.yaml", {"a": {"b": None}})
    document.unread(("a", "b"), Place("c.yaml", 2), "unreadable")
    document.wrong(("a", "b"), "expected a number")
    document.wrong(("a",), "something is wrong in it")
    document.wrong(("c",), "another")
    assert [problem.text for problem in document.problems] == ["unreadable", "another"]


def test_the_environment_goes_before_the_file() -> None:
    document = Document("c.yaml", {"web": {"port": 1}, "mqtt": {"broker": "embedded"}, "log": 5, "storage": None})
    overlay(document, {
        "OHMSTEAD_PORT": "7231", "OHMSTEAD_MQTT_HOST": "mq", "OHMSTEAD_LOG_LEVEL": "debug", "OHMSTEAD_HOST": "",
        "OHMSTEAD_DATABASE_URL": "postgresql://u:secret@h/d", "OTHER": "x",
    })  # fmt: skip
    assert document.data == {"web": {"port": "7231"}, "mqtt": {"host": "mq"}, "log": 5, "storage": {"url": "postgresql://u:secret@h/d"}}
    assert document.place(("web", "port")) == Place("OHMSTEAD_PORT")
    assert document.secrets == {"postgresql://u:secret@h/d"}
    assert document.section("log") == {}
    assert document.section("web") == {"port": "7231"}
