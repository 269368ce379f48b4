"""Serves the folders of a folder as buckets, as `server` beside this file says."""

import json
import logging
import os
import pathlib
import sys

# Read while the server is imported: small pages, so that a few objects need several.
os.environ["MOTO_S3_DEFAULT_MAX_KEYS"] = "10"

import boto3
import flask
from moto import settings
from moto.iam import access_control
from moto.server import ThreadedMotoServer

READS = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"}
CLOSED = {
    "Effect": "Deny",
    "Action": "s3:*",
    "Resource": ["arn:aws:s3:::closed*", "arn:aws:s3:::closed*/*"],
}


class Request(access_control.S3IAMRequest):
    """A request whose signature is checked over what was sent, letter by letter."""

    def _create_aws_request(self):
        request = super()._create_aws_request()
        # The server has decoded it by now, and signs `/` where `%2F` was signed.
        request.url = flask.request.environ["REQUEST_URI"]
        return request


access_control.S3IAMRequest = Request


def main(folder: pathlib.Path) -> None:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"

    def client(service: str):
        return boto3.client(
            service,
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="anybody",
            aws_secret_access_key="anything",
        )

    store = client("s3")
    for bucket in sorted(path for path in folder.iterdir() if path.is_dir()):
        store.create_bucket(Bucket=bucket.name)
        for file in sorted(path for path in bucket.rglob("*") if path.is_file()):
            key = file.relative_to(bucket).as_posix()
            store.put_object(Bucket=bucket.name, Key=key, Body=file.read_bytes())
    people = client("iam")
    people.create_user(UserName="andon")
    people.put_user_policy(
        UserName="andon",
        PolicyName="reads",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [READS, CLOSED]}),
    )
    key = people.create_access_key(UserName="andon")["AccessKey"]
    # From here on who asks has to prove who they are.
    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
    print("ready", endpoint, key["AccessKeyId"], key["SecretAccessKey"], flush=True)
    # Whoever holds the other end takes the server with them, even when they are killed.
    sys.stdin.read()
    server.stop()


main(pathlib.Path(sys.argv[1]))
