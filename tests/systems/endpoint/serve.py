"""A small server of both protocols for images: serve.py PORT [BEHAVIOUR]. Standard library only."""

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

port, behaviour = int(sys.argv[1]), (sys.argv[2:] or ["well"])[0]
factor = float(os.environ.get("FACTOR", "3"))
if os.path.exists("factor.json"):
    with open("factor.json") as stream:
        factor = json.load(stream)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def reply(self, status, document):
        raw = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def do_GET(self):
        answers = {
            "/ping": {},
            "/v2/health/ready": {},
            "/v2/models": {"models": ["credit"]},
            "/v2/models/credit/ready": {},
            "/v2/models/credit": {"name": "credit", "inputs": [{"name": "x", "datatype": "FP64", "shape": [-1]}]},
        }
        if behaviour == "unready":
            self.reply(503, {})
        else:
            self.reply(200 if self.path in answers else 404, answers.get(self.path, {}))

    def do_POST(self):
        document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if behaviour == "hang":
            time.sleep(600)
        if behaviour == "die":
            print("out of weights", flush=True)
            os._exit(7)
        if behaviour == "link" and len(document["dataframe_split"]["data"]) < 500:
            while not os.path.exists("/repro/output/answer-1.json"):
                time.sleep(
                    0.05
                )  # until the first rows are answered; a host that follows links would then read its own file
            os.symlink("/etc/shadow", "/repro/output/answer-1.json.new")
            os.replace("/repro/output/answer-1.json.new", "/repro/output/answer-1.json")
        if self.path == "/invocations":
            split = document["dataframe_split"]
            rows = [dict(zip(split["columns"], row)) for row in split["data"]]
            scores = [row["x"] * factor for row in rows]
            labels = ["yes" if score > 3 else "no" for score in scores]
            self.reply(200, {"predictions": [{"score": s, "label": k} for s, k in zip(scores, labels)]})
        elif self.path == "/v2/models/credit/infer":
            scores = [x * factor for x in document["inputs"][0]["data"]]
            labels = ["yes" if score > 3 else "no" for score in scores]
            outputs = [
                {"name": "score", "datatype": "FP64", "shape": [len(scores)], "data": scores},
                {"name": "label", "datatype": "BYTES", "shape": [len(scores)], "data": labels},
            ]
            self.reply(200, {"model_name": "credit", "outputs": outputs})
        else:
            self.reply(404, {})


if behaviour == "crash":
    sys.exit("the model cannot be loaded: weights are missing")
for path in ("/tmp/scratch", "/run/server.pid", os.path.expanduser("~/.cache")):
    with open(path, "w") as stream:  # servers write to such folders
        stream.write("x")
print("serving at", port, "as", os.getuid(), flush=True)
ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
