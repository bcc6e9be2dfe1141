"""Says what is wrong with Kubernetes resources by the classes that KServe and Kubernetes generate from their schemas for
Python. It reads a JSON list of resources from standard input and prints a list of complaints for each. The packages kserve
and kubernetes are read, not imported: that would need some thirty others."""

import ast
import functools
import importlib.util
import json
import pathlib
import re
import sys

FOLDERS = {"kserve": "models", "kubernetes": "client/models"}
RESOURCES = {
    "serving.kserve.io/v1beta1 InferenceService": "V1beta1InferenceService",
    "apps/v1 Deployment": "V1Deployment",
    "v1 Service": "V1Service",
    "autoscaling/v2 HorizontalPodAutoscaler": "V2HorizontalPodAutoscaler",
}
PLAIN = {"str": str, "int": int, "bool": bool, "float": (int, float), "ResourceQuantity": str}


@functools.cache
def files():
    """Where each class is."""
    found = {}
    for package, inner in FOLDERS.items():
        folder = pathlib.Path(importlib.util.find_spec(package).origin).parent / inner
        for module, name in re.findall(r"from \S+\.(\w+) import (\w+)", (folder / "__init__.py").read_text()):
            found[name] = folder / f"{module}.py"
    return found


@functools.cache
def fields(name):
    """Of a class: the type of each field by its name in JSON, and the fields that must be there."""
    tree = ast.parse(files()[name].read_text())
    tables = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ("openapi_types", "attribute_map")
    }
    written = tables["attribute_map"]
    needed = {
        written[match.group(1)]
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if (match := re.fullmatch(r"Invalid value for `(\w+)`, must not be `None`", node.value))
    }
    return {written[field]: kind for field, kind in tables["openapi_types"].items()}, needed


def complaints(value, kind, at):
    many = re.fullmatch(r"(list|dict)[\[(](?:str, )?(.+)[\])]", kind)
    if kind == "object":
        return []
    if kind in PLAIN:
        fits = isinstance(value, PLAIN[kind]) and (kind == "bool" or not isinstance(value, bool))
        return [] if fits else [f"{at} is no {kind}"]
    if many:
        shape, inner = many.groups()
        if not isinstance(value, {"list": list, "dict": dict}[shape]):
            return [f"{at} is no {shape}"]
        items = enumerate(value) if shape == "list" else value.items()
        return [said for key, item in items for said in complaints(item, inner, f"{at}.{key}")]
    if not isinstance(value, dict):
        return [f"{at} is no {kind}"]
    known, needed = fields(kind)
    said = [f"{at} needs {field}" for field in sorted(needed - value.keys())]
    for field, item in value.items():
        if field in known:
            said += complaints(item, known[field], f"{at}.{field}")
        else:
            said.append(f"{at}.{field} is not known")
    return said


def of(resource):
    kind = f"{resource.get('apiVersion')} {resource.get('kind')}"
    if kind not in RESOURCES:
        return [f"{kind} is not known"]
    return complaints(resource, RESOURCES[kind], resource["kind"])


print(json.dumps([of(resource) for resource in json.load(sys.stdin)]))
