"""What docker/check asks of the Dockerfile and of compose.yaml beyond their grammar.

    rules.py check                        every rule that is broken, one a line
    rules.py lay-out FOLDER               what the build stage copies from here, into FOLDER
    rules.py environment SERVICE K=V ...  a service's environment, NUL after each, with K instead
    rules.py answer STATUS                answers one HTTP request so; prints the port first
    rules.py free-port                    a port that nobody listens on
"""

import http.server
import json
import pathlib
import re
import shutil
import socket
import subprocess
import sys

from dockerfile_parse import DockerfileParser
from ruamel.yaml import YAML

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCKER = ROOT / "docker"

# Services whose root file system stays writable; compose.yaml says why.
WRITES_ITS_ROOT = {"kafka"}
# Services that run as the user of their image, which is not root.
USER_OF_THE_IMAGE = {"kafka"}


def compose():
    return YAML(typ="safe").load((DOCKER / "compose.yaml").read_text())


def dockerfile():
    parser = DockerfileParser(path=str(DOCKER / "Dockerfile"))
    return [(step["instruction"], step["value"]) for step in parser.structure]


def stages(steps):
    """The instructions of each stage, its FROM first."""
    found = []
    for step in steps:
        if step[0] == "FROM":
            found.append([])
        if found:
            found[-1].append(step)
    return found


def copies(steps):
    """Sources and destination of each COPY that takes from here and not from another stage."""
    for instruction, value in steps:
        words = value.split()
        if instruction == "COPY" and not words[0].startswith("--from="):
            *sources, destination = [word for word in words if not word.startswith("--")]
            yield sources, destination


def dependencies_of_rust():
    """The newest Rust that a package of the workspace, or below it, asks for."""
    answer = subprocess.run(
        ["cargo", "metadata", "--locked", "--format-version", "1"],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False,
    )
    if answer.returncode:
        sys.exit("docker/check: the workspace does not load with its Cargo.lock")
    packages = json.loads(answer.stdout)["packages"]
    return max((version(p["rust_version"] or "0"), p["name"]) for p in packages)


def version(text):
    """Major and minor: what an image tag and a manifest both have."""
    return tuple(int(part) for part in (text.split(".") + ["0"])[:2])


def broken_in_dockerfile():
    steps = dockerfile()
    ignored = set((ROOT / ".dockerignore").read_text().split())
    for sources, _ in copies(steps):
        for source in sources:
            if not (ROOT / source).exists():
                yield f"Dockerfile copies `{source}`, which is not there"
            if source.split("/")[0] in ignored:
                yield f"Dockerfile copies `{source}`, which .dockerignore keeps out"
    build, *_, final = stages(steps)
    if not any(i == "RUN" and "docker/build /out" in v for i, v in build):
        yield "Dockerfile does not build by docker/build"
    image = re.match(r"rust:([0-9.]+)-", build[0][1])
    needed, name = dependencies_of_rust()
    if not image:
        yield f"Dockerfile builds in `{build[0][1]}`, which names no version of Rust"
    elif version(image[1]) < needed:
        yield f"Dockerfile builds with Rust {image[1]}, and `{name}` for {needed[0]}.{needed[1]}"
    users = [v for i, v in final if i == "USER"]
    if not users or not re.fullmatch(r"[1-9][0-9]*:[1-9][0-9]*", users[-1]):
        yield "Dockerfile names no user by number, or root"
    if not any(i == "HEALTHCHECK" for i, _ in final):
        yield "Dockerfile has no health check"
    for name, service in compose()["services"].items():
        if "build" in service and [service.get("user")] != users[-1:]:
            yield f"{name}: runs as another user than the image's"


def broken_in_service(name, service, everything):
    if service.get("cap_drop") != ["ALL"] or service.get("cap_add"):
        yield "keeps privileges"
    if "no-new-privileges:true" not in service.get("security_opt", []):
        yield "may win privileges"
    if service.get("privileged") or "host" in (service.get("network_mode"), service.get("pid")):
        yield "shares what is the host's"
    if service.get("read_only") is not True and name not in WRITES_ITS_ROOT:
        yield "has a writable root file system"
    if service.get("user", "0").split(":")[0] == "0" and name not in USER_OF_THE_IMAGE:
        yield "runs as root, or as nobody says whom"
    if "mem_limit" not in service:
        yield "has no memory limit"
    if "build" not in service and not re.search(r":v?[0-9]+\.[0-9]+\.[0-9]+", service["image"]):
        yield f"image `{service['image']}` is not pinned"
    health = service.get("healthcheck", {})
    if "test" not in health and not (health.get("disable") and service.get("restart") == "no"):
        yield "has no health check, and does not end by itself"
    for port in service.get("ports", []):
        if not str(port).startswith("127.0.0.1:"):
            yield f"publishes `{port}` beyond loopback"
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        if source.startswith("."):
            if not (DOCKER / source).exists():
                yield f"mounts `{source}`, which is not there"
            if not volume.endswith(":ro"):
                yield f"may write to `{source}`"
        elif source not in everything["volumes"]:
            yield f"volume `{source}` is not declared"
    for network in service.get("networks", []):
        if network not in everything["networks"]:
            yield f"network `{network}` is not declared"
    for other, how in service.get("depends_on", {}).items():
        waited_for = everything["services"].get(other)
        if waited_for is None:
            yield f"waits for `{other}`, which is no service"
        elif how["condition"] == "service_healthy" and "test" not in waited_for["healthcheck"]:
            yield f"waits for the health of `{other}`, which has no health check"


def broken_in_compose():
    everything = compose()
    for name, service in everything["services"].items():
        for complaint in broken_in_service(name, service, everything):
            yield f"{name}: {complaint}"
    pom = (DOCKER / "kafka/pom.xml").read_text()
    pinned = re.search(r"<kafka.version>(.*)</kafka.version>", pom)
    image = everything["services"]["kafka"]["image"]
    if image != f"apache/kafka:{pinned[1]}":
        yield f"kafka: image `{image}` is not the Kafka {pinned[1]} that the tests run against"


def complain(complaints):
    broken = list(complaints)
    for complaint in broken:
        print(f"docker/check: {complaint}", file=sys.stderr)
    return 1 if broken else 0


def check():
    return complain([*broken_in_dockerfile(), *broken_in_compose()])


def missing_in(folder):
    """What sources compile in, by a path that leads out of what was copied."""
    included = re.compile(r'include_(?:str|bytes)!\(\s*(?:concat!\(\s*)?"([^"]+)"')
    for source in sorted(folder.rglob("src/**/*.rs")):
        for path in included.findall(source.read_text()):
            if not (source.parent / path).exists():
                name = source.relative_to(folder)
                yield f"`{name}` includes `{path}`, which Dockerfile does not copy"


def lay_out(folder):
    build = stages(dockerfile())[0]
    for sources, destination in copies(build):
        for source in sources:
            here = ROOT / source
            there = pathlib.Path(folder) / destination
            if here.is_dir():
                # As .dockerignore: nothing that a build has left.
                shutil.copytree(here, there, ignore=shutil.ignore_patterns("target"))
            else:
                there = there / here.name if destination.endswith("/") else there
                there.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(here, there)
    return complain(missing_in(pathlib.Path(folder)))


def environment(service, *instead):
    settings = dict(compose()["services"][service]["environment"])
    settings.update(pair.split("=", 1) for pair in instead)
    for key, value in settings.items():
        print(f"{key}={value}", end="\0")


def answer(status):
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(int(status) if self.path == "/health/ready" else 404)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
    print(server.server_port, flush=True)
    server.handle_request()


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        print(taken.getsockname()[1])


if __name__ == "__main__":
    verbs = {
        "check": check,
        "lay-out": lay_out,
        "environment": environment,
        "answer": answer,
        "free-port": free_port,
    }
    verb, *arguments = sys.argv[1:] or [""]
    if verb not in verbs:
        sys.exit(__doc__)
    sys.exit(verbs[verb](*arguments))
