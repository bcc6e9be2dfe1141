import { ServiceError } from "../schema/errors.ts";
import type { Captured } from "./captured.ts";
import { type CloudEvent, dataBytes } from "./cloud-event.ts";
import { writeJson } from "./json.ts";
import { short } from "./tensor.ts";

const SIDES: Readonly<Record<string, readonly ["collected" | "payload", "request" | "response"]>> = {
  inputs: ["collected", "request"],
  model_inputs: ["collected", "request"],
  outputs: ["collected", "response"],
  model_outputs: ["collected", "response"],
  request: ["payload", "request"],
  response: ["payload", "response"],
};

/**
 * Half of a call as Azure ML's data collector writes it, one line per collection: `model_inputs` and `model_outputs` (or
 * `inputs` and `outputs`) of one `correlationid` belong together, row by row, and so do `request` and `response`.
 *
 * @param model - Name to store under; else the endpoint's, from `source`.
 * @throws ServiceError `invalid-input` when the data lies in a blob, nothing correlates it or it names no endpoint.
 * @see Azure docs, how-to-collect-production-data.
 * @example
 * const source = "/subscriptions/s/onlineEndpoints/churn/deployments/blue";
 * const extensions = { correlationid: "c" };
 * azureCapture({ ...event, type: "azureml.inference.model_inputs", source, extensions }, undefined).kind; // "half"
 */
export function azureCapture(event: CloudEvent, model: string | undefined): Captured {
  const collection = event.type.slice("azureml.inference.".length);
  const known = Object.hasOwn(SIDES, collection) ? SIDES[collection] : undefined;
  if (!known)
    return { kind: "ignored", reason: `collection ${short(collection)} is neither inputs nor outputs` };
  const [family, side] = known;
  const { correlationid, xrequestid, modelversion, datainblob, path } = event.extensions;
  if (datainblob?.toLowerCase() === "true")
    throw new ServiceError(
      "invalid-input",
      "the data lies in a blob of its own (more than 4 MB, or binary), which is not fetched",
    );
  const id = correlationid || xrequestid;
  if (!id) throw new ServiceError("invalid-input", "the line has neither correlationid nor xrequestid");
  const [, endpoint, deployment] =
    /\/onlineEndpoints\/([^/]+)(?:\/deployments\/([^/]+))?/i.exec(event.source) ?? [];
  const name = model ?? endpoint;
  if (name === undefined)
    throw new ServiceError("invalid-input", "the source names no endpoint: send it with ?model=");
  return {
    kind: "half",
    call: {
      model: name,
      id,
      version: modelversion === undefined || modelversion === "default" ? undefined : modelversion,
      deployment,
    },
    key: writeJson(["azureml", name, endpoint ?? "", deployment ?? "", family, id]),
    half: {
      side,
      message: {
        headers: event.contentType === undefined ? {} : { "content-type": event.contentType },
        body: dataBytes(event),
      },
      time: event.time,
      path,
      status: undefined,
    },
  };
}
