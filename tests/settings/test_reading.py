"""`bswirl.toml`: what is read, and how every mistake is said."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bswirl.errors import InputError
from bswirl.project import Project, load_settings
from bswirl.serving.endpoints import served_model
from bswirl.settings import EndpointSettings, Settings
from bswirl.settings.audit import STANDARD_GUIDELINES, AuditSettings, read_guidelines

GOOD = """\
auditor = "kim"

[judges]
ranking = ["answer-check", "qwen72b"]

[endpoints.local]
url = "http://127.0.0.1:8000/v1/"
in_flight = 8
requests_per_minute = 600
tokens_per_minute = 1000000
timeout = 30

[endpoints.own]
url = "https://models.example.org:8443/v1"
key = "OWN_KEY"

[policies.qwen]
endpoint = "together"
model = "Qwen/Qwen2.5-7B-Instruct-Turbo"
price_in = 0.30
price_out = 1
solution_prompt = "prompts/solution.toml"

[policies.here]
path = "some/model"

[judges.qwen72b]
endpoint = "own"
model = "Qwen/Qwen2.5-72B-Instruct"
prompt = "prompts/judge.toml"
votes = 3

[judges.mine]
path = "smollm2"
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.create(tmp_path / "p")


def read(project: Project, text: str) -> Settings:
    project.settings_file.write_text(text, encoding="utf-8")
    return load_settings(project)


def refused(project: Project, text: str) -> str:
    with pytest.raises(InputError) as caught:
        read(project, text)
    said = str(caught.value)
    assert str(project.settings_file) in said
    assert "\n" not in said
    assert caught.value.remedy
    return said


class TestReading:
    def test_a_new_project_has_settings_that_are_right(self, project: Project) -> None:
        """So have they with every example in them uncommented."""
        assert list(load_settings(project).endpoints) == ["together"]
        text = project.settings_file.read_text(encoding="utf-8")
        lines = [
            line.removeprefix("# ")
            if line.startswith(("# [", "# ")) and ("=" in line or "[" in line)
            else line
            for line in text.splitlines()
        ]
        found = read(project, "\n".join(lines))
        assert found.endpoints["local"].key == "MY_KEY"
        assert found.judges["qwen72b"].served is not None
        assert found.policies["my-model"].adapter is not None

    def test_batch_discounts(self, project: Project) -> None:
        """A model's own goes before its endpoint's; Together's is there without being said."""
        text = """
[endpoints.local]
url = "http://127.0.0.1:8000/v1"
batch_discount = 0.3
[policies.a]
endpoint = "local"
model = "m"
[policies.b]
endpoint = "together"
model = "m"
[policies.c]
endpoint = "together"
model = "m"
batch_discount = 0
"""
        policies = read(project, text).policies
        found = {
            name: served_model(one.served).batch_discount for name, one in policies.items() if one.served
        }
        assert found == {"a": 0.3, "b": 0.5, "c": 0.0}
        with pytest.raises(InputError, match="batch_discount"):
            read(project, text.replace("0.3", "1.5"))

    def test_endpoints(self, project: Project) -> None:
        """With their limits; Together is there without being named."""
        found = read(project, GOOD).endpoints
        assert found["local"] == EndpointSettings(
            "local", "http://127.0.0.1:8000/v1", None, 8, 600, 1_000_000, 30.0
        )
        assert found["own"].key == "OWN_KEY"
        assert found["together"] == EndpointSettings(
            "together", "https://api.together.xyz/v1", "TOGETHER_API_KEY", batch_discount=0.5
        )

    def test_the_builtin_endpoint_can_be_given_limits(self, project: Project) -> None:
        """Its address and variable stay; at another address its variable is not used."""
        found = read(project, "[endpoints.together]\nin_flight = 5\n").endpoints["together"]
        assert (found.url, found.key, found.in_flight) == (
            "https://api.together.xyz/v1",
            "TOGETHER_API_KEY",
            5,
        )
        moved = read(project, '[endpoints.together]\nurl = "https://other.example/v1"\n').endpoints[
            "together"
        ]
        assert moved.key is None

    def test_policies(self, project: Project) -> None:
        """Served ones know their endpoint; prompt files lie beside the project."""
        found = read(project, GOOD).policies
        served = found["qwen"].served
        assert served is not None
        assert (served.endpoint.name, served.model) == ("together", "Qwen/Qwen2.5-7B-Instruct-Turbo")
        assert (served.price_in, served.price_out) == (0.3, 1.0)
        assert found["qwen"].solution_prompt == str(project.root / "prompts/solution.toml")
        assert found["qwen"].step_prompt is None
        assert found["here"].path == "some/model"
        assert found["here"].served is None

    def test_judges(self, project: Project) -> None:
        """Several votes need a temperature that lets them differ."""
        found = read(project, GOOD).judges
        assert list(found) == ["qwen72b", "mine"]
        assert (found["qwen72b"].votes, found["qwen72b"].temperature) == (3, 0.7)
        assert (found["mine"].votes, found["mine"].temperature, found["mine"].path) == (1, 0.0, "smollm2")
        assert read(project, GOOD).ranking == ("answer-check", "qwen72b")


SERVED = '[policies.p]\nendpoint = "together"\nmodel = "m"\n'
JUDGE = '[judges.j]\nendpoint = "together"\nmodel = "m"\n'
ENDPOINT = '[endpoints.e]\nurl = "https://e.example/v1"\n'


class TestMistakes:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("[endpoint.x]\n", "line 1: unknown key `endpoint` — did you mean `endpoints`?"),
            ("endpoints = 3\n", "line 1: `endpoints` must be a table"),
            ("[endpoints]\nx = 3\n", "line 2: `endpoints.x` must be a table"),
            (
                ENDPOINT + "in_fligth = 3\n",
                "line 3: [endpoints.e]: unknown key `in_fligth` — did you mean `in_flight`?",
            ),
            (
                ENDPOINT + "in_flight = 0\n",
                "line 3: [endpoints.e]: `in_flight` must be a whole number — it is at least 1",
            ),
            (ENDPOINT + "in_flight = 1.5\n", "line 3: [endpoints.e]: `in_flight` must be a whole number"),
            (ENDPOINT + "in_flight = true\n", "line 3: [endpoints.e]: `in_flight` must be a whole number"),
            (ENDPOINT + "timeout = 0\n", "line 3: [endpoints.e]: `timeout` must be a number — it is above 0"),
            (ENDPOINT + "timeout = nan\n", "`timeout` must be a number"),
            (ENDPOINT + "timeout = 1" + "0" * 400 + "\n", "`timeout` must be a number"),
            (ENDPOINT + "requests_per_minute = -1\n", "`requests_per_minute` must be a whole number"),
            ("[endpoints.e]\n", "line 1: [endpoints.e]: `url` is missing"),
            ('[endpoints."a b"]\nurl = "https://e.example"\n', "that is no name for an endpoint"),
            (
                '[endpoints.e]\nurl = "ftp://e.example"\n',
                "line 2: [endpoints.e]: `url`: this is no http(s) address",
            ),
            ('[endpoints.e]\nurl = "e.example"\n', "`url`: this is no http(s) address"),
            ('[endpoints.e]\nurl = "https://e.example:99999/"\n', "`url`: this is no http(s) address"),
            ('[endpoints.e]\nurl = "https:///v1"\n', "`url`: this is no http(s) address"),
            ('[endpoints.e]\nurl = "https://еxample.org/v1"\n', "`url`: this is no http(s) address"),
            ('[endpoints.e]\nurl = "https://a\\\\b/v1"\n', "`url`: this is no http(s) address"),
            ("[endpoints.e]\nurl = 3\n", "line 2: [endpoints.e]: `url` must be a text"),
            ('[endpoints.e]\nurl = "https://a\\u001b[2J"\n', "`url` holds a control character"),
            (
                '[endpoints.e]\nurl = "http://e.example/v1"\nkey = "KEY"\n',
                "line 2: [endpoints.e]: a key would travel unencrypted",
            ),
            ('[policies.p]\nmodel = "m"\n', "line 1: [policies.p]: neither `path` nor `endpoint` is given"),
            ('[policies.p]\nendpoint = "together"\n', "[policies.p]: `model` is missing"),
            (
                SERVED.replace("together", "togehter"),
                "line 2: [policies.p]: `endpoint` names none that there is — did you mean `together`?",
            ),
            (SERVED + 'path = "x"\n', "line 4: [policies.p]: `path` is for local models"),
            (SERVED + 'adapter = "x"\n', "line 4: [policies.p]: `adapter` is for local models"),
            (
                '[policies.p]\npath = "x"\nprice_in = 1\n',
                "line 3: [policies.p]: `price_in` is for served models",
            ),
            ('[policies.p]\npath = "x"\nstep_prompt = "y"\n', "`step_prompt` is for served models"),
            ('[policies.p]\npath = "~nobody-here/x"\n', "`path` is no path"),
            (
                SERVED + "price_in = -0.1\n",
                "line 4: [policies.p]: `price_in` must be a number — it is at least 0",
            ),
            (SERVED + 'price_out = "0.3"\n', "`price_out` must be a number"),
            (SERVED + "promt = 3\n", "[policies.p]: unknown key `promt`"),
            (JUDGE + "votes = 4\n", "line 4: [judges.j]: `votes` is even"),
            (JUDGE + "votes = 0\n", "`votes` must be a whole number"),
            (JUDGE + "temperature = -1\n", "`temperature` must be a number"),
            (JUDGE + "prompt = 3\n", "`prompt` must be a text"),
            (
                '[judges.ranking]\nendpoint = "together"\n',
                "line 1: [judges]: a judge cannot be called `ranking`",
            ),
            ('[judges.reference]\npath = "x"\n', "`reference` is a judge by rules already"),
            ("[judges]\nrankign = []\n", "line 2: [judges]: unknown key `rankign` — did you mean `ranking`?"),
            ("[judges]\nranking = 3\n", "line 2: [judges]: `ranking` must be a list of names"),
            ("auditor = 3\n", "line 1: `auditor` must be a text"),
            ("[policies\n", "not valid TOML"),
        ],
    )
    def test_one_line_that_names_the_place(self, project: Project, text: str, words: str) -> None:
        """File, line, table and key, and what to write instead."""
        assert words in refused(project, text)

    @pytest.mark.parametrize(
        "text",
        [
            '[endpoints.e]\nurl = "https://e.example/v1"\nkey = "{}"\n',
            '[endpoints.e]\nurl = "https://user:{}@e.example/v1"\n',
            '[endpoints.e]\nurl = "https://e.example/v1?key={}"\n',
            '[endpoints.e]\nurl = "https://e.example/v1"\napi_key = "{}"\n',
            '[endpoints.e]\nurl = "https://e.example/v1"\n{} = 1\n',
            '[endpoints.e]\nurl = "https://e.example/v1"\ntimeout = "{}"\n',
            '[policies.p]\nendpoint = "{}"\nmodel = "m"\n',
            'auditor = "{}\n',
        ],
    )
    @pytest.mark.parametrize(
        "secret", ["sk-proj-9f8e7d6c5b4a3210", "tgp_v1_abcDEF123", "AKIA5XQ72TLMN8WPR4ZD"]
    )
    def test_a_pasted_key_is_never_shown(self, project: Project, text: str, secret: str) -> None:
        """Wherever it was pasted."""
        assert secret not in refused(project, text.format(secret))

    @pytest.mark.parametrize("name", ["MY_KEY", "TOGETHER_API_KEY", "_K", "HF_TOKEN_2", "OPENAI2024KEY"])
    def test_names_of_variables_are_taken(self, project: Project, name: str) -> None:
        """Capitals, digits and underscores."""
        found = read(project, ENDPOINT + f'key = "{name}"\n')
        assert found.endpoints["e"].key == name

    @pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "127.9.9.9:1", "[::1]:8000"])
    def test_plain_http_with_a_key_is_for_this_machine(self, project: Project, host: str) -> None:
        """Nothing leaves it."""
        found = read(project, f'[endpoints.e]\nurl = "http://{host}/v1"\nkey = "KEY"\n')
        assert found.endpoints["e"].url == f"http://{host}/v1"

    def test_plain_http_without_a_key_may_go_anywhere(self, project: Project) -> None:
        """A server in the next room."""
        assert read(project, '[endpoints.e]\nurl = "http://10.0.0.7:8000/v1"\n').endpoints["e"].key is None

    @given(st.text(max_size=200))
    @example("[judges]\nranking.x = 1")
    @example("judges = 3")
    @example("[[policies.p]]\n")
    @example("[endpoints]\ntogether = []")
    def test_any_text_is_read_or_refused(self, tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
        """Nothing but InputError leaves the reader."""
        project = Project(tmp_path_factory.getbasetemp())
        project.settings_file.write_bytes(text.encode("utf-8", "surrogatepass"))
        with suppress(InputError):
            load_settings(project)


class TestAudit:
    """The table [audit]."""

    def read(self, tmp_path: Path, text: str) -> Settings:
        project = Project.create(tmp_path / "p")
        project.settings_file.write_text(text, encoding="utf-8")
        return load_settings(project)

    def test_all_of_it(self, tmp_path: Path) -> None:
        """Reasons, guidelines beside the project, shares and times; nothing said gives the defaults."""
        audit = self.read(
            tmp_path,
            '[audit]\nreasons = ["sum", " unit "]\nguidelines = "how.md"\nslice = 0.5\nrepeats = 0\n'
            "overlap = 0.1\nblind = false\nreserve_minutes = 5\n",
        ).audit
        assert audit.reasons == ("sum", "unit")
        assert (audit.slice, audit.repeats, audit.overlap, audit.blind, audit.reserve_minutes) == (
            0.5,
            0.0,
            0.1,
            False,
            5.0,
        )
        with pytest.raises(InputError, match="No such file"):
            read_guidelines(audit)
        (tmp_path / "p" / "how.md").write_text("Judge \x1b[31mthe last step.\n", encoding="utf-8")
        assert read_guidelines(audit) == "Judge ␛[31mthe last step.\n"
        assert read_guidelines(AuditSettings()) == STANDARD_GUIDELINES

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("slice = 1.5", "`slice` must be a number"),
            ("slice = true", "`slice` must be a number"),
            ("repeats = -1", "`repeats` must be"),
            ("reserve_minutes = 0", "`reserve_minutes` must be"),
            ('blind = "yes"', "`blind` must be true or false"),
            ('reasons = "sum"', "`reasons` must be a list"),
            ('reasons = ["a\\u001b"]', "`reasons` must be a list"),
            ('guidelines = "../../etc/passwd"', "must lie in the project's folder"),
            ('guidlines = "x.md"', "unknown key `guidlines`"),
        ],
    )
    def test_mistakes_are_named(self, tmp_path: Path, text: str, words: str) -> None:
        """With file and line."""
        with pytest.raises(InputError, match=words) as caught:
            self.read(tmp_path, f"[audit]\n{text}\n")
        assert "bswirl.toml, line 2" in str(caught.value)
