"""What callers do with Triton's HTTP client, as one JSON object on one line."""

import json
import sys

import numpy as np
import tritonclient.http as http
from tritonclient.utils import InferenceServerException

client = http.InferenceServerClient(sys.argv[1], concurrency=4)
words = http.InferenceServerClient(sys.argv[2])
told = {}


def infer(values, binary_in=True, binary_out=True, **more):
    x = http.InferInput("x", list(values.shape), "FP32")
    x.set_data_from_numpy(values, binary_data=binary_in)
    wanted = [http.InferRequestedOutput("y", binary_data=binary_out)]
    return client.infer("model", [x], outputs=wanted, **more)


def refused(call):
    try:
        call()
    except InferenceServerException as error:
        return [error.status(), error.message()]
    return None


values = np.array([[1.5, 2], [-3, 0.25]], dtype=np.float32)
told["health"] = [client.is_server_live(), client.is_server_ready(), client.is_model_ready("model"), client.is_model_ready("model", "1")]
told["not ready"] = [client.is_model_ready("other"), client.is_model_ready("model", "9")]
told["server"] = client.get_server_metadata()["extensions"]
told["model"] = client.get_model_metadata("model")
told["binary"] = infer(values).as_numpy("y").tolist()
told["json"] = infer(values, binary_in=False, binary_out=False).as_numpy("y").tolist()
told["mixed"] = [
    infer(values, binary_in=True, binary_out=False).as_numpy("y").tolist(),
    infer(values, binary_in=False, binary_out=True).as_numpy("y").tolist(),
]
told["no outputs named"] = client.infer("model", [infer_input := http.InferInput("x", [2, 2], "FP32").set_data_from_numpy(values)]).as_numpy("y").tolist()
named = infer(values, request_id="order-17", model_version="1").get_response()
told["answer"] = {key: named[key] for key in ("model_name", "model_version", "id")}
told["compressed"] = [
    infer(values, request_compression_algorithm=how, response_compression_algorithm=how).as_numpy("y").tolist()
    for how in ("gzip", "deflate")
]
under_way = [client.async_infer("model", [infer_input], request_id=str(at)) for at in range(20)]
told["at once"] = [each.get_result().get_response()["id"] for each in under_way]

texts = http.InferInput("x", [1, 2], "BYTES")
texts.set_data_from_numpy(np.array([["Zürich €", ""]], dtype=np.object_))
told["texts"] = [text.decode() for text in words.infer("words", [texts]).as_numpy("y").ravel()]

told["index"] = client.get_model_repository_index()
statistics = client.get_inference_statistics("model")["model_stats"][0]
told["counted"] = [statistics["inference_count"], statistics["inference_stats"]["success"]["count"]]
told["all statistics"] = [each["name"] for each in client.get_inference_statistics()["model_stats"]]
told["unknown model"] = refused(lambda: client.infer("other", [infer_input]))
told["wrong width"] = refused(lambda: infer(np.zeros((1, 3), dtype=np.float32)))
told["wrong type"] = refused(
    lambda: client.infer("model", [http.InferInput("x", [1, 2], "INT64").set_data_from_numpy(np.zeros((1, 2), dtype=np.int64))])
)
told["load"] = refused(lambda: client.load_model("model"))
print(json.dumps(told))
