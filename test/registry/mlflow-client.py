"""What a data scientist does with MLflow's own client, against a Leeway server. Prints one JSON object of what it saw."""

import json
import logging
import os
import sys
import tempfile

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

logging.disable(logging.CRITICAL)
url, folder = sys.argv[1:3]
mlflow.set_tracking_uri(url)
mlflow.set_registry_uri(url)
client = MlflowClient()
seen = {}


def code_of(call):
    try:
        call()
        return "no error"
    except MlflowException as error:
        return error.error_code


def content(path, name):
    with open(os.path.join(path, name)) as file:
        return file.read()


# A model of its own, with versions whose files are elsewhere.
model = client.create_registered_model("churn", tags={"team": "growth"}, description="who leaves")
seen["created"] = [model.name, model.tags, model.description, model.latest_versions]
seen["created again"] = code_of(lambda: client.create_registered_model("churn"))
seen["bad name"] = code_of(lambda: client.create_registered_model("a/b"))
first = client.create_model_version("churn", "s3://bucket/model", run_id="r1", tags={"env": "prod"}, description="first")
seen["version"] = [first.version, first.status, first.source, first.run_id, first.tags, first.current_stage]
for number in range(2, 6):
    client.create_model_version("churn", f"s3://bucket/{number}", tags={"env": "test"})
seen["unknown model"] = code_of(lambda: client.create_model_version("nobody", "s3://x"))

# Tags, descriptions, aliases.
client.set_registered_model_tag("churn", "tier", "1")
client.delete_registered_model_tag("churn", "team")
client.update_registered_model("churn", "who will leave")
client.set_model_version_tag("churn", "2", "env", "prod")
client.delete_model_version_tag("churn", "3", "env")
client.update_model_version("churn", "2", "second")
client.set_registered_model_alias("churn", "champion", "2")
client.set_registered_model_alias("churn", "challenger", "5")
client.delete_registered_model_alias("churn", "challenger")
client.delete_registered_model_alias("churn", "challenger")
model = client.get_registered_model("churn")
seen["model"] = [model.description, model.tags, model.aliases, [v.version for v in model.latest_versions]]
by_alias = client.get_model_version_by_alias("churn", "champion")
seen["by alias"] = [by_alias.version, by_alias.description, list(by_alias.aliases), by_alias.tags]
seen["unknown alias"] = code_of(lambda: client.get_model_version_by_alias("churn", "nobody"))
seen["unknown version"] = code_of(lambda: client.get_model_version("churn", "99"))
seen["latest"] = [v.version for v in client.get_latest_versions("churn")]
seen["stage"] = code_of(lambda: client.transition_model_version_stage("churn", "2", "Production"))
seen["rename"] = code_of(lambda: client.rename_registered_model("churn", "other"))
seen["uri"] = client.get_model_version_download_uri("churn", "2")

# Searches, by pages too.
for name in ["churn-eu", "churn-us", "fraud"]:
    client.create_registered_model(name, tags={"region": name[-2:]})
seen["like"] = [m.name for m in client.search_registered_models("name LIKE 'churn-%'")]
seen["by tag"] = [m.name for m in client.search_registered_models("tags.region = 'us'")]
seen["ordered"] = [m.name for m in client.search_registered_models(order_by=["name DESC"])]
pages, token = [], None
while True:
    page = client.search_registered_models(max_results=2, page_token=token)
    pages.append([m.name for m in page])
    token = page.token
    if not token:
        break
seen["pages"] = pages
seen["versions"] = [v.version for v in client.search_model_versions("name = 'churn'", order_by=["version_number ASC"])]
seen["versions by tag"] = [v.version for v in client.search_model_versions("name='churn' AND tags.env = 'prod'")]
seen["versions by run"] = [v.version for v in client.search_model_versions("run_id IN ('r1', 'r2')")]
seen["bad filter"] = code_of(lambda: client.search_registered_models("colour = 'red'"))

# Deleting.
seen["delete aliased"] = code_of(lambda: client.delete_model_version("churn", "2"))
client.delete_model_version("churn", "3")
client.delete_registered_model("fraud")
seen["left"] = [m.name for m in client.search_registered_models()]

# Files: those that Leeway has, by alias; those sent ahead of a version; those of another version.
path = mlflow.artifacts.download_artifacts("models:/filed@champion", dst_path=os.path.join(folder, "by-alias"))
seen["by alias has"] = [content(path, "model.bin"), content(path, "extra/notes.txt")]
one = mlflow.artifacts.download_artifacts("models:/filed/1/extra/notes.txt", dst_path=folder)
seen["one file"] = content("", one)
with tempfile.TemporaryDirectory() as local:
    os.makedirs(os.path.join(local, "data"))
    for name, text in {"MLmodel": "flavors: {}", "data/model.bin": "sent by mlflow"}.items():
        with open(os.path.join(local, name), "w") as file:
            file.write(text)
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    get_artifact_repository("mlflow-artifacts:/incoming/one").log_artifacts(local)
sent = client.create_model_version("churn", "mlflow-artifacts:/incoming/one")
path = mlflow.artifacts.download_artifacts(f"models:/churn/{sent.version}", dst_path=os.path.join(folder, "sent"))
seen["sent"] = [content(path, "MLmodel"), content(path, "data/model.bin")]
seen["sent nothing"] = code_of(lambda: client.create_model_version("churn", "mlflow-artifacts:/incoming/none"))
copied = client.copy_model_version("models:/filed@champion", "copied")
path = mlflow.artifacts.download_artifacts(f"models:/copied/{copied.version}", dst_path=os.path.join(folder, "copy"))
seen["copied"] = content(path, "model.bin")
print(json.dumps(seen))
