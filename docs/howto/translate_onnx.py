"""Translates a line with what seqlab export wrote, and no seqlab: python translate_onnx.py FOLDER LINE."""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime

folder, line = Path(sys.argv[1]), sys.argv[2]
model = json.loads((folder / "model.json").read_text(encoding="utf-8"))
encoder, step = (onnxruntime.InferenceSession(folder / model[graph]["file"]) for graph in ("encoder", "step"))
source, target = (json.loads((folder / model[side]["vocabulary"]).read_text("utf-8")) for side in ("source", "target"))
ids, limit = model["ids"], model["length_limit"]
separator = " " if model["source"]["class"].endswith("WhitespaceTokenizer") else ""

pieces = line.split() if separator else list(line)
own = [piece for piece in dict.fromkeys(pieces) if piece not in source] if model["copies_unknown"] else []
numbers = {piece: number for number, piece in enumerate(source + own)}
read = [numbers.get(piece, ids["unk"]) for piece in pieces] + [ids["eos"]]
inputs = {"source": np.array([read]), "lengths": np.array([len(read)])}
tensors = dict(zip(model["memory"] + model["state"], encoder.run(None, inputs), strict=True))
longest = min(max(int(limit["ratio"] * len(read) + limit["further"]), limit["least"]), limit.get("most", sys.maxsize))
written = [ids["bos"]]
while written[-1] != ids["eos"] and len(written) <= longest:
    said, *state = step.run(None, {"token": np.array(written[-1:]), **tensors})
    tensors.update(zip(model["state"], state, strict=True))
    said[:, ids["unk"]] = -np.inf
    written.append(int(said.argmax()))
print(separator.join((target + own)[number] for number in written[1:] if number != ids["eos"]))
