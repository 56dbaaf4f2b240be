"""What a user does wrong is refused in one line, soon, and without a traceback: for every command and option."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import typer

from cascade.service.cli.main import app

SCRIPT = """
import json, sys
from typer.testing import CliRunner
from cascade.service.cli.main import app
from cascade.workers.settings import get_settings

answers = []
for args, env in json.load(sys.stdin):
    get_settings.cache_clear()
    result = CliRunner().invoke(app, args, env={"COLUMNS": "80", **env})
    exits = isinstance(result.exception, SystemExit)
    heavy = sorted({"torch", "diffusers", "transformers"} & sys.modules.keys())
    answers.append([result.exit_code, result.stderr or result.stdout, exits, heavy])
print(json.dumps(answers))
"""

COMMANDS = {
    "generate": (
        "--preset",
        "--seed",
        "--size",
        "--steps",
        "--guidance-scale",
        "--output",
        "--negative-prompt",
    ),
    "train": ("--data", "--stride", "--fps", "--seed", "--steps", "--precision", "--workers", "--save-every"),
    "evaluate": ("--suite", "--preset", "--data", "--networks", "--against", "--output"),
    "motions train": ("--caption", "--output", "--preset", "--stride", "--fps", "--steps"),
    "motions add": ("--preset",),
    "motions list": (),
    "motions remove": ("--preset",),
    "checkpoints list": (),
    "checkpoints verify": (),
    "checkpoints pull": (),
    "checkpoints convert": ("--in-channels", "--preset"),
    "keys create": ("--project", "--scope"),
    "keys list": (),
    "keys revoke": (),
    "up": (),
    "doctor": (),
    "plan": (),
    "demo": ("--preset", "--seed", "--output"),
    "gateway": (),
    "worker": (),
    "housekeeper": (),
    "submit": ("--model", "--seed", "--steps", "--best-of", "--stop-after"),
    "watch": ("--url", "--api-key"),
    "get": ("--url", "--api-key"),
    "list": ("--limit", "--search", "-q", "--status", "--model", "--after"),
    "continue": ("--draft",),
    "remix": ("--prompt", "--from-stage", "--draft", "--seed", "--steps", "--stop-after"),
    "cancel": ("--url",),
    "delete": ("--url",),
    "download": ("--variant", "--stage", "--output"),
    "settings": (),
}
"""Every command, and options of it that take a value."""

WRONG = [
    ("train bogus -o OUT", 'no recipe for "bogus"; choose one of keyframes'),
    ("train keyframes", "name the folder of the runs"),
    ("train keyframes -o FILE", "cannot be written to"),
    ("train keyframes -o FILE/runs", "cannot be written to"),
    ("train keyframes -o OUT --preset shaps", 'no preset "shaps"; choose one of shapes'),
    ("train keyframes -o OUT --preset wan", "no recipe for preset"),
    ("train keyframes -o OUT --data gone.csv", "does not exist"),
    ("train keyframes -o OUT --data .", "is a directory"),
    ("train keyframes -o OUT --data FILE", "needs a video and a caption"),
    ("train keyframes -o OUT --checkpoints FILE", "is a file"),
    ("train keyframes -o OUT --precision half", "'no', 'bf16', 'fp16'"),
    ("train keyframes -o OUT --stride 0", "greater than or equal to 1"),
    ("train keyframes -o OUT --fps nan", "'--fps'"),
    ("train keyframes -o OUT --steps ten", "'--steps'"),
    ("train keyframes --check", "name a list with --data"),
    ("evaluate -o OUT --suite nope", 'no suite "nope"; choose one of quick'),
    ("evaluate -o OUT --suite msr-vtt", "--data"),
    ("evaluate -o OUT --suite msr-vtt --data FILE", "needs a video and a caption"),
    ("evaluate -o OUT --networks gone", "does not exist"),
    ("evaluate -o OUT --against .", "report.json"),
    ("evaluate -o FILE", "cannot be written to"),
    ("evaluate -o OUT --preset shaps", 'no preset "shaps"'),
    ("generate x --preset shaps", 'no preset "shaps"'),
    ("generate EMPTY", "PROMPT: must not be empty"),
    ("generate x --preset=", 'no preset ""; choose one of shapes'),
    ("generate x -o a.avi", "does not end in .mp4, .webm, .gif, .webp"),
    ("generate x -o FILE/a.mp4", "cannot be written to"),
    ("generate x -o FOLDER.mp4", "is a folder"),
    ("generate x --seed -1", "'--seed'"),
    ("generate x --steps keyframes", "STAGE=NUMBER"),
    ("generate x --size 1x1", "256x160"),
    ("motions train gone.mp4 --caption x -o OUT", "does not exist"),
    ("motions train FILE --caption x -o OUT --preset wan", "takes no motions"),
    ("motions train FILE --caption x -o OUT --preset shaps", 'no preset "shaps"'),
    ("motions add x gone.safetensors", "does not exist"),
    ("motions add Zig FILE", "no name: up to 64 lower-case letters"),
    ("motions add x FILE --preset wan", "takes no motions"),
    ("motions add x FILE --preset shaps", 'no preset "shaps"'),
    ("checkpoints list shaps", 'no preset "shaps"'),
    ("checkpoints verify shaps", 'no preset "shaps"'),
    ("checkpoints pull shaps", 'no preset "shaps"'),
    ("worker shapes.nope", 'no queue "shapes.nope"; choose from shapes.keyframes'),
    ("keys create x --scope all", "'generate', 'read', 'admin'"),
    ("list --limit 0", "'--limit'"),
    ("list --status done", "'queued', 'in_progress'"),
    ("list --after a/b", "is no id of a video"),
    ("continue ../a", "is no id of a video"),
    ("remix a --seed x", "'--seed'"),
    ("demo --preset shaps", 'no preset "shaps"'),
    ("download x --variant gifs", "'video', 'thumbnail'"),
    ("submit x --steps keyframes", "STAGE=NUMBER"),
    ("nope", "No such command"),
]
"""Command lines, and a part of what is answered."""

SETTINGS = [
    ("generate x", {"CASCADE_DEVICE": "gpu"}, "CASCADE_DEVICE"),
    ("generate x", {"CASCADE_PRESETS": "shaps"}, "CASCADE_PRESETS"),
    ("evaluate -o OUT", {"CASCADE_DTYPE": "int8"}, "CASCADE_DTYPE"),
    ("list --url http://127.0.0.1:1", {}, "http://127.0.0.1:1 cannot be reached"),
    ("keys list", {"CASCADE_REDIS_URL": "redis://127.0.0.1:1/0"}, "Redis"),
    ("keys list", {"CASCADE_REDIS_URL": "nonsense"}, "CASCADE_REDIS_URL"),
]

UNKNOWN = [
    *(f"{command} --no-such-option" for command in COMMANDS),
    *(f"{command} {option}" for command, options in COMMANDS.items() for option in options),
    *(
        f"{command} one two three four"
        for command in COMMANDS
        if command != "worker" and not command.startswith("checkpoints ")  # they take any number
    ),
]

Answer = tuple[int, str, bool, list[str]]
"""Exit status, what is said, whether the command ended by exiting, and what was imported that takes long."""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Answer]:
    """Answers to all lines, given by one process, to which torch is new."""
    folder = tmp_path_factory.mktemp("wrong")
    (folder / "file.csv").write_text("no,list\n")
    (folder / "folder.mp4").mkdir()
    lines = [*((line, dict[str, str]()) for line in [*(line for line, _ in WRONG), *UNKNOWN])]
    lines += [(line, env) for line, env, _ in SETTINGS]
    names = {"EMPTY": "", "OUT": "out", "FILE": "file.csv", "FOLDER.mp4": "folder.mp4"}
    given = [
        ([names.get(part, part.replace("FILE/", "file.csv/")) for part in line.split()], env)
        for line, env in lines
    ]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input=json.dumps(given),
        env={name: value for name, value in os.environ.items() if not name.startswith("CASCADE_")},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert {path.name for path in folder.iterdir()} <= {"file.csv", "folder.mp4", "out"}
    return {
        line + str(env): (status, said, exits, heavy)
        for (line, env), (status, said, exits, heavy) in zip(lines, json.loads(done.stdout), strict=True)
    }


@pytest.mark.parametrize(("line", "message"), WRONG)
def test_wrong_arguments_are_refused_in_one_line_before_torch_is_imported(
    line: str, message: str, answers: dict[str, Answer]
) -> None:
    status, said, exits, heavy = answers[f"{line}{{}}"]
    assert (status, exits, heavy) == (2, True, []), said
    assert said.startswith("Error: ")
    assert said.count("\n") == 1, said
    assert message in said


def test_every_command_refuses_what_it_does_not_know(answers: dict[str, Answer]) -> None:
    for line in UNKNOWN:
        status, said, exits, heavy = answers[f"{line}{{}}"]
        assert (status, exits, heavy) == (2, True, []), (line, said)
        assert said.startswith("Error: "), (line, said)
        assert said.count("\n") == 1, (line, said)


@pytest.mark.parametrize(("line", "env", "message"), SETTINGS)
def test_wrong_settings_and_missing_servers_are_named(
    line: str, env: dict[str, str], message: str, answers: dict[str, Answer]
) -> None:
    status, said, exits, heavy = answers[line + str(env)]
    assert status in (1, 2), said
    assert (exits, heavy) == (True, [])
    assert said.count("\n") == 1, said
    assert message in said


def test_no_command_is_left_out() -> None:
    def walk(command: object, path: str = "") -> set[str]:
        inner = getattr(command, "commands", None)
        if not inner:
            return {path.strip()}
        return set().union(*(walk(child, f"{path} {name}") for name, child in inner.items()))

    assert walk(typer.main.get_command(app)) == set(COMMANDS)
