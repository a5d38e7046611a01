"""An HTTPS server that answers each request with its WSGI environment, as JSON: header names folded as CGI
folds them. Arguments: certificate, key, a file for the port."""

import json
import os
import ssl
import sys
from wsgiref.simple_server import WSGIRequestHandler, make_server


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


def application(environ, start_response):
    texts = {name: value for name, value in environ.items() if isinstance(value, str)}
    body = json.dumps({name: texts[name] for name in texts if name not in os.environ})
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body.encode()]


certificate, key, place = sys.argv[1:]
server = make_server("127.0.0.1", 0, application, handler_class=Quiet)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server.socket = context.wrap_socket(server.socket, server_side=True)
with open(place + ".new", "w") as file:
    file.write(str(server.server_port))
os.rename(place + ".new", place)
server.serve_forever()
