"""Receives security event tokens, and believes none that PyJWT does not verify."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt


def claims(token, keys, issuer, audience):
    """What a token says; raises `jwt.PyJWTError` if it is no good."""
    if jwt.get_unverified_header(token).get("typ") != "secevent+jwt":
        raise jwt.InvalidTokenError("it is no secevent+jwt")
    return jwt.decode(
        token,
        keys.get_signing_key_from_jwt(token).key,
        algorithms=["ES256"],
        issuer=issuer,
        audience=audience,
        options={"require": ["iss", "iat", "jti", "aud", "sub_id", "events"]},
    )


def say(document):
    print(json.dumps(document), flush=True)


def verify(jwks, issuer, audience):
    keys = jwt.PyJWKClient(jwks)
    for line in sys.stdin:
        say(claims(line.strip(), keys, issuer, audience))


def push(address, jwks, issuer, audience, authorization=None):
    keys = jwt.PyJWKClient(jwks)

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            length = int(self.headers.get("Content-Length", 0))
            token = self.rfile.read(length).decode()
            if self.headers.get("Content-Type") != "application/secevent+jwt":
                self.refuse("invalid_request", "it is no application/secevent+jwt")
            elif authorization and self.headers.get("Authorization") != authorization:
                self.refuse("authentication_failed", "who are you?")
            else:
                try:
                    say(claims(token, keys, issuer, audience))
                except jwt.PyJWTError as error:
                    self.refuse("invalid_key", str(error))
                else:
                    self.send_response(202)
                    self.send_header("Content-Length", "0")
                    self.end_headers()

        def refuse(self, error, description):
            print(f"{error}: {description}", file=sys.stderr, flush=True)
            body = json.dumps({"err": error, "description": description}).encode()
            self.send_response(400)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    host, port = address.rsplit(":", 1)
    ThreadingHTTPServer((host, int(port)), Receiver).serve_forever()


{"push": push, "verify": verify}[sys.argv[1]](*sys.argv[2:])
