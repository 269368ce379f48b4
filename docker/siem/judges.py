"""Judges the lines of standard input: see `validate`, which calls this."""

import ipaddress
import json
import sys
from datetime import datetime

# Where ECS lets its users put what it has no field for.
OURS = ("andon.", "labels.")


def ocsf():
    from jsonschema import Draft202012Validator
    from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

    judges = {}
    for version in ("1.5.0", "1.6.0", "1.7.0", "1.8.0"):
        schemas = OcsfJsonSchemaEmbedded(get_ocsf_schema(version))
        schema = schemas.get_class_schema("detection_finding", [])
        judges[version] = Draft202012Validator(schema)

    def judge(line):
        event = json.loads(line)
        for version, validator in judges.items():
            for error in validator.iter_errors(event):
                yield f"OCSF {version}: {error.json_path}: {error.message[:300]}"

    return judge


def leaves(value, path=""):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}" if path else key)
    else:
        yield path, value


def is_of(kind, value):
    if kind in ("keyword", "match_only_text", "constant_keyword", "wildcard"):
        return isinstance(value, str)
    if kind == "long":
        return isinstance(value, int) and not isinstance(value, bool)
    if kind in ("float", "scaled_float"):
        return isinstance(value, float | int) and not isinstance(value, bool)
    if kind == "ip":
        return isinstance(value, str) and bool(ipaddress.ip_address(value))
    if kind == "date":
        return datetime.fromisoformat(value).tzinfo is not None
    if kind == "boolean":
        return isinstance(value, bool)
    return False


def ecs():
    with open(sys.argv[2], encoding="utf-8") as file:
        fields = json.load(file)

    def judge_field(path, value):
        field = fields.get(path)
        if field is None:
            return "is no field of ECS"
        is_list = "array" in field.get("normalize", [])
        if isinstance(value, list) != is_list:
            return "is a list" if not is_list else "is no list"
        values = value if is_list else [value]
        allowed = {one["name"] for one in field.get("allowed_values", [])}
        for one in values:
            try:
                fits = is_of(field["type"], one)
            except (ValueError, TypeError):
                fits = False
            if not fits or (allowed and one not in allowed):
                return f"holds {one!r}"
        return None

    def judge(line):
        event = json.loads(line)
        for path, value in leaves(event):
            wrong = None if path.startswith(OURS) else judge_field(path, value)
            if wrong:
                yield f"ECS: {path} {wrong}"
        categories = {one["name"]: one for one in fields["event.category"]["allowed_values"]}
        for category in event["event"]["category"]:
            expected = categories[category].get("expected_event_types", [])
            for kind in event["event"]["type"]:
                if expected and kind not in expected:
                    yield f"ECS: event.type {kind} is none of {category}"

    return judge


def cef():
    import pycef

    def judge(line):
        read = pycef.parse(line)
        if read is None:
            yield "pycef reads nothing"
        else:
            print(json.dumps(read))

    return judge


def syslog():
    from syslog_rfc5424_parser import ParseError, SyslogMessage

    def judge(line):
        try:
            print(json.dumps(SyslogMessage.parse(line).as_dict()))
        except ParseError as error:
            yield f"syslog-rfc5424-parser: {error}"

    return judge


def stix():
    from stix2validator import ValidationOptions, validate_string

    # Ids that are made of the incident are none of version 4, which the standard only recommends.
    options = ValidationOptions(strict=True, version="2.1", disabled=["uuid-check"])

    def judge(line):
        for error in validate_string(line, options).errors or []:
            yield f"stix2-validator: {str(error)[:300]}"

    return judge


def webhook():
    from standardwebhooks.webhooks import Webhook, WebhookVerificationError

    def judge(line):
        told = json.loads(line)
        try:
            Webhook(told["secret"]).verify(told["body"], told["headers"])
        except WebhookVerificationError as error:
            yield f"standardwebhooks: {error}"

    return judge


def main():
    judges = {
        "ocsf": ocsf,
        "ecs": ecs,
        "cef": cef,
        "stix": stix,
        "syslog": syslog,
        "webhook": webhook,
    }
    judge = judges[sys.argv[1]]()
    wrong = 0
    count = 0
    # Only a line feed ends a line: texts may hold other separators.
    for count, line in enumerate(sys.stdin.buffer.read().split(b"\n")[:-1], 1):
        for reason in judge(line.decode("utf-8")):
            wrong += 1
            print(f"line {count}: {reason}", file=sys.stderr)
    if count == 0:
        print("there is nothing to judge", file=sys.stderr)
    sys.exit(1 if wrong or count == 0 else 0)


main()
