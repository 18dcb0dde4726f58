"""A server gives the answers of `dlrun predict`, says what is wrong in the same words, and nothing of the machine."""

from __future__ import annotations

import csv
import io
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from predicting import SPEC, invoke, rows_in, trained
from typer.testing import CliRunner

import dlrun
from dlrun.commands.app import app
from dlrun.errors import SpecError
from dlrun.served import bodies, joined
from dlrun.served.bodies import CSV, JSON, MOST_BYTES, MOST_ROWS
from dlrun.served.joined import JoinedPasses
from dlrun.served.server import serving
from dlrun.served.service import Service
from dlrun.trained.run import TrainedRun, open_run

Said = tuple[int, bytes]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> TrainedRun:
    """Of two numbers and a category."""
    return trained(tmp_path_factory.mktemp("run"), "kind", "$classes", "cross_entropy")


@pytest.fixture(scope="module")
def told() -> list[str]:
    """What the server says of failures of its own."""
    return []


@pytest.fixture(scope="module")
def address(run: TrainedRun, told: list[str]) -> Iterator[str]:
    with serving(run, "127.0.0.1", 0, told.append) as (address, _):
        yield address


def file_of(run: TrainedRun) -> Path:
    return run.folder.parent.parent / "rows.csv"


def ask(address: str, body: bytes | None = None, kind: str = JSON, **headers: str) -> Said:
    """Send a request; a request with a body is a POST."""
    own = {**headers, **({} if body is None else {"Content-Type": kind})}
    request = urllib.request.Request(address, body, own)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def as_rows(file: Path) -> list[dict[str, Any]]:
    names, rows = rows_in(file)
    return [dict(zip(names, row, strict=True)) for row in rows]


def test_the_answers_are_those_of_predict(address: str, run: TrainedRun, tmp_path: Path) -> None:
    expected = invoke(run.folder, file_of(run)).stdout_bytes
    status, given = ask(f"{address}/predict", file_of(run).read_bytes(), CSV, Accept=CSV)
    assert (status, given) == (200, expected)
    rows = [{name: row[name] for name in ("place", "b", "a")} for row in as_rows(file_of(run))]
    status, given = ask(f"{address}/predict", json.dumps(rows).encode())
    assert status == 200
    invoke(run.folder, file_of(run), "--out", tmp_path / "out.jsonl")
    assert json.loads(given) == [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    status, given = ask(f"{address}/predict", json.dumps(rows[0]).encode())
    assert json.loads(given)[0]["kind"] == next(csv.DictReader(io.StringIO(expected.decode())))["kind"]


def test_a_category_never_seen_is_what_predict_makes_of_it(address: str, run: TrainedRun, tmp_path: Path) -> None:
    row = {"a": 0.5, "b": -1, "place": "elsewhere"}
    (tmp_path / "new.jsonl").write_text(json.dumps(row))
    invoke(run.folder, tmp_path / "new.jsonl", "--out", tmp_path / "out.jsonl")
    _, given = ask(f"{address}/predict", json.dumps([row]).encode())
    assert json.loads(given) == [json.loads((tmp_path / "out.jsonl").read_text())]


GOOD = {"a": 1, "b": 2, "place": "near"}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('[{"a": 1, "place": "near"}]', "the request lacks the column 'b', which the network takes"),
        (json.dumps([GOOD, {**GOOD, "a": "x"}]), "row 1: column 'a' is the text \"x\"; row 0 has the number 1"),
        (json.dumps([{**GOOD, "a": "x"}]), "row 0: column 'a' is the text \"x\", not a number"),
        (json.dumps([GOOD, {**GOOD, "a": None}]), "row 1: column 'a' has no value"),
        (json.dumps([GOOD, {**GOOD, "a": 1e300}]), "row 1 holds 1e+300, too large for float32"),
        ('{"a": 1', "the request is not JSON: Expecting ',' delimiter: line 1 column 8 (char 7)"),
        ('[{"a": 1, "a": 2}]', "the request is not JSON: the key 'a' stands twice"),
        ('[{"a": NaN}]', "the request is not JSON: NaN is not JSON"),
        ("[" * 100_000, "the request is not JSON: "),
        ("\ud800", "the request is not JSON: "),
        ("[]", "the request has no rows"),
        ("3", "rows are objects in a list, with the columns as keys"),
        (json.dumps([{**GOOD, "a": [1, 2]}]), "row 0: 'place' is not a list of numbers of one length"),
    ],
)
def test_what_is_wrong_with_json_is_said_with_its_row(body: str, message: str, address: str) -> None:
    status, given = ask(f"{address}/predict", body.encode(errors="surrogatepass"))
    assert status == 400
    assert json.loads(given)["error"].startswith(message)


def test_what_is_wrong_with_a_csv_is_said_with_its_line(address: str) -> None:
    status, given = ask(f"{address}/predict", b"a,b,place\n1,2,near\nx,2,near\n", CSV)
    assert (status, json.loads(given)) == (400, {"error": "rows.csv:3: column 'a' is 'x', not a number"})
    status, given = ask(f"{address}/predict", b"a,c,place\n1,2,near\n", CSV)
    message = "rows.csv lacks the column 'b', which the network takes"
    hint = "columns, from the first line: a, c, place"
    assert (status, json.loads(given)) == (400, {"error": message, "help": hint})


def test_a_csv_without_rows_has_no_answers(address: str) -> None:
    assert ask(f"{address}/predict", b"a,b,place\n", CSV) == (200, b"[]\n")


@pytest.mark.parametrize("kind", ["text/plain", "image/png", "application/x-www-form-urlencoded"])
def test_rows_of_another_type_are_not_taken(kind: str, address: str) -> None:
    status, given = ask(f"{address}/predict", b"x", kind)
    message = f"Content-Type is '{kind}'; rows come as application/json or text/csv"
    assert (status, json.loads(given)) == (415, {"error": message})


def test_a_request_that_is_too_large_is_refused_and_says_so(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = b"a,b,place\n" + b"1,2,near\n" * (MOST_ROWS + 1)
    for body, kind in ((rows, CSV), (json.dumps([GOOD] * (MOST_ROWS + 1)).encode(), JSON)):
        status, given = ask(f"{address}/predict", body, kind)
        assert status == 413
        assert "the request has 10,001 rows, and at most 10,000 are answered" in json.loads(given)["error"]
    assert ask(f"{address}/predict", rows.rpartition(b"1,2")[0], CSV)[0] == 200
    status, given = ask(f"{address}/predict", b" " * (MOST_BYTES + 1))
    assert status == 413 and "the request has more than 8 MiB" in json.loads(given)["error"]
    monkeypatch.setattr(bodies, "MOST_BYTES", 50)  # 1e15 is longer as the row that is read
    assert ask(f"{address}/predict", json.dumps({**GOOD, "c": [], "d": 1e15}).encode())[0] == 400
    assert ask(f"{address}/predict", b'{"a":1e15,"b":1e15,"place":"near","c":1e15,"d":0}')[0] == 413


def test_a_failure_of_the_program_says_nothing(address: str, told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_given: Any) -> None:
        raise RuntimeError("/home/secret is full")

    monkeypatch.setattr(joined, "outputs_of", fail)
    assert ask(f"{address}/predict", json.dumps(GOOD).encode()) == (500, b'{"error": "internal error"}\n')
    assert told == ["a request failed: RuntimeError: /home/secret is full"]


def test_other_addresses_and_names_are_refused(address: str) -> None:
    assert ask(f"{address}/health") == (200, b'{"status": "ok"}\n')
    assert ask(f"{address}/predict")[0] == 405
    assert ask(f"{address}/spec.yaml")[0] == 404
    assert ask(f"{address}/../../etc/passwd")[0] == 404
    assert ask(f"{address}/health", Host="elsewhere.example")[0] == 400


def held(monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, threading.Event]:
    """Have forward passes wait: events that say that one has begun, and that they may go on."""
    free, begun, own = threading.Event(), threading.Event(), joined.outputs_of

    def slow(*given: Any) -> Any:
        begun.set()
        assert free.wait(60)
        return own(*given)

    monkeypatch.setattr(joined, "outputs_of", slow)
    return begun, free


def test_requests_that_wait_are_computed_together(run: TrainedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, free = held(monkeypatch)
    passes = JoinedPasses(run)
    inputs = torch.from_numpy(np.random.default_rng(0).normal(size=(30, *run.inputs[0].shape)))
    with ThreadPoolExecutor(10) as pool:
        asked = [pool.submit(passes.outputs, np.arange(2), [inputs[:2]])]
        assert begun.wait(60)
        starts = [2 + 3 * number for number in range(9)]
        asked += [pool.submit(passes.outputs, np.arange(3), [inputs[start : start + 3]]) for start in starts]
        while passes._waiting.qsize() < 9:
            threading.Event().wait(0.01)
        free.set()
        found = torch.cat([one.result()[run.outputs[0].name] for one in asked][:1])
        rest = [one.result()[run.outputs[0].name] for one in asked[1:]]
    passes.close()
    assert passes.passes == 2
    with torch.no_grad():
        expected = run.network(inputs)
    torch.testing.assert_close(found, expected[:2])
    for start, values in zip(starts, rest, strict=True):
        torch.testing.assert_close(values, expected[start : start + 3])


def test_a_row_that_is_wrong_is_an_error_of_its_own_request_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [f"{value},{'yes' if value > 2 else 'no'}" for value in np.random.default_rng(0).uniform(1, 3, 60)]
    (tmp_path / "sizes.csv").write_text("\n".join(["a,up", *lines]))
    changes = ("data.preprocess=[log1p]", "data.features=[a]", "data.source={csv: sizes.csv}")
    service = Service(trained(tmp_path, "up", "$classes", "cross_entropy", *changes), pytest.fail)
    begun, free = held(monkeypatch)
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(service.answer, b'{"a": 1}', JSON, "")]
        assert begun.wait(60)
        asked += [pool.submit(service.answer, json.dumps({"a": a}).encode(), JSON, "") for a in (1, -2, 1)]
        while service.passes._waiting.qsize() < 3:
            threading.Event().wait(0.01)
        free.set()
        answers = [one.result() for one in asked]
    service.close()
    assert [one.status for one in answers] == [200, 200, 400, 200]
    assert json.loads(answers[2].content)["error"].startswith("row 0 holds -2; ")
    assert answers[0].content == answers[1].content == answers[3].content


def test_an_image_has_the_answer_that_its_file_has(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for label in ("dark", "light"):
        (tmp_path / "shapes" / label).mkdir(parents=True)
        for number in range(12):
            pixels = random.integers(0, 120, (9, 7, 3)) + 120 * (label == "light")
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "shapes" / label / f"{number}.png")
    (tmp_path / "spec.yaml").write_text("""
data: {source: {images: {path: shapes, size: 6}}, preprocess: [minmax]}
model: {layers: [flatten, linear: $classes]}
loss: cross_entropy
optimizer: adam
train: {epochs: 3, device: cpu}
tracking: off
baselines: off
""")
    run = open_run(dlrun.train(tmp_path / "spec.yaml", runs=tmp_path / "runs").folder)
    names, rows = rows_in_text(invoke(run.folder, tmp_path / "shapes").stdout)
    with serving(run, "127.0.0.1", 0, pytest.fail) as (address, _):
        for place, label in ((0, "dark"), (12, "light")):
            image = (tmp_path / "shapes" / label / "0.png").read_bytes()
            status, given = ask(f"{address}/predict", image, "image/png")
            assert status == 200
            (answer,) = json.loads(given)
            assert answer.pop("label") == rows[place][1]
            np.testing.assert_allclose(
                [answer[name] for name in names[2:]], np.array(rows[place][2:], float), rtol=1e-5
            )
        status, given = ask(f"{address}/predict", b"no image", "image/png")
        assert (status, json.loads(given)["error"].startswith("the image is damaged, or no image of")) == (400, True)
        assert 'type="file"' in ask(f"{address}/")[1].decode()
        assert "or an image such as image/png" in json.loads(ask(f"{address}/predict", b"", "a/b")[1])["error"]


def rows_in_text(text: str) -> tuple[list[str], list[list[str]]]:
    names, *rows = csv.reader(text.splitlines())
    return names, rows


def test_rows_of_arrays_come_as_lists(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(50, 2, 3))
    np.savez(tmp_path / "rows.npz", x=x, y=random.integers(0, 3, 50))
    text = SPEC.replace("{csv: rows.csv}", "{npz: rows.npz}").replace("features: [a, b, place]", "features: x")
    text = text.replace("one_hot: {columns: place}, ", "").replace("layers: [", "layers: [flatten, ")
    (tmp_path / "spec.yaml").write_text(text % ("y", "$classes", "cross_entropy"))
    run = open_run(dlrun.train(tmp_path / "spec.yaml", runs=tmp_path / "runs").folder)
    expected = invoke(run.folder, tmp_path / "rows.npz").stdout_bytes
    with serving(run, "127.0.0.1", 0, pytest.fail) as (address, _):
        for values in (x, x.reshape(50, 6)):
            body = json.dumps([{"x": row.tolist(), "other": 3} for row in values]).encode()
            assert ask(f"{address}/predict", body, Accept=CSV) == (200, expected)
        for row, message in (
            ({"z": [1]}, "row 1 lacks 'x', which the network takes"),
            ({"x": [1, [2]]}, "row 1: 'x' is not a list of numbers of one length"),
            ({"x": [1, 2]}, "row 1: 'x' has the shape (2,), and row 0 (2, 3)"),
        ):
            status, given = ask(f"{address}/predict", json.dumps([{"x": x[0].tolist()}, row]).encode())
            assert (status, json.loads(given)["error"]) == (400, message)
        status, given = ask(f"{address}/predict", b'{"x": [1, 2]}')
        assert "'x' has (2,) values in each row of rows.npz, and the network takes (2, 3)" in json.loads(given)["error"]
        assert '<textarea name="x" data-is="numbers"' in ask(f"{address}/")[1].decode()


def test_the_page_has_a_field_for_each_column_and_needs_nothing_from_elsewhere(address: str) -> None:
    status, given = ask(f"{address}/")
    page = given.decode()
    assert status == 200
    assert re.findall(r'<input name="(\w+)" data-is="number" type="number" step="any" required', page) == ["a", "b"]
    choices = page.partition('<select name="place"')[2].partition("</select>")[0]
    assert re.findall(r'<option value="([^"]*)">', choices) == ["far", "in, between", "near", ""]
    assert '{"chances": ["kind=high", "kind=low", "kind=middle"]}' in page
    assert not re.search(r"(https?:)?//\w|@import|<link|src=", page)
    assert "prefers-color-scheme: dark" in page


def test_names_cannot_be_a_part_of_the_page(tmp_path: Path) -> None:
    name, label = '<b>"x', "</script><i>"
    rows = [[f"{value:.2f}", label if value > 0 else "low"] for value in np.random.default_rng(0).normal(size=60)]
    with (tmp_path / "odd.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([[name, "kind"], *rows])
    changes = ("data.preprocess=[standardize]", "data.features=['*x']", "data.source={csv: odd.csv}")
    run = trained(tmp_path, "kind", "$classes", "cross_entropy", *changes)
    with serving(run, "127.0.0.1", 0, pytest.fail) as (address, _):
        page = ask(f"{address}/")[1].decode()
        assert "<b>" not in page and "<i>" not in page and page.count("</script>") == 2
        assert json.loads(page.partition('id="about">')[2].partition("</script>")[0])["chances"][0] == f"kind={label}"
        assert ask(f"{address}/predict", json.dumps({name: 1}).encode())[0] == 200


def test_a_port_that_is_taken_is_one_error(run: TrainedRun) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(SpecError, match=f"port {port} of 127.0.0.1 is taken; choose another with --port"),
            serving(run, "127.0.0.1", port, pytest.fail),
        ):
            pass
    with pytest.raises(SpecError, match=r"cannot listen on no\.such\.host: "), serving(run, "no.such.host", 0, print):
        pass


def test_control_c_ends_the_command_with_one_line(run: TrainedRun) -> None:
    command = [sys.executable, "-m", "dlrun", "serve", str(run.folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        found = re.fullmatch(r"(http://127\.0\.0\.1:\d+) \(Ctrl-C ends it\)\n", process.stdout.readline())
        assert found is not None
        assert ask(f"{found[1]}/predict", json.dumps(GOOD).encode())[0] == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert (process.stdout.read(), process.stderr.read()) == ("", "ended\n")


def test_a_missing_library_is_one_error(run: TrainedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlrun.commands.use.serve.find_spec", lambda name: None if name == "uvicorn" else True)
    done = CliRunner().invoke(app, ["serve", str(run.folder)])
    assert "`dlrun serve` needs the package uvicorn, which is not installed" in str(done.exception)
    assert "pip install 'dlrun[serve]'" in str(done.exception)
