import type { Command } from "commander";
import type { RetrainRun } from "../../schema/retrain.ts";
import { clientFor, newCommand, newGroup, path, print, type ServerOptions, withServer } from "./command.ts";

type Options = ServerOptions & { readonly json?: boolean };

export function retrainCommand(): Command {
  const run = withServer(
    newCommand("run", {
      does: "ask a model's trainer for a new version now",
      example: 'leeway retrain run churn --reason "prices changed on Monday"',
    }),
  )
    .argument("<model>")
    .requiredOption("--reason <text>", "why; it is kept with the run and sent to the trainer")
    .option("--policy <name>", "whose target is asked; needed when the model has several policies")
    .option("--from <time>", "start of the training data (RFC 3339)")
    .option("--to <time>", "end of the training data (RFC 3339)")
    .action(
      async (
        model: string,
        options: Options & Record<"reason" | "policy" | "from" | "to", string | undefined>,
      ) => {
        const { reason, policy, from, to } = options;
        const started = await clientFor(options).send<RetrainRun>("POST", "/v1/retrain-runs", {
          model,
          reason,
          policy,
          from,
          to,
        });
        print(started, options, describe);
      },
    );

  const status = withServer(
    newCommand("status", {
      does: "how retraining runs are going, newest first, or all of one run",
      example: "leeway retrain status --model churn",
    }),
  )
    .argument("[run]", "id of a run")
    .option("--model <name>", "of this model only")
    .action(async (id: string | undefined, options: Options & { readonly model?: string }) => {
      const client = clientFor(options);
      if (id !== undefined) {
        print(await client.json<RetrainRun>({ path: path`/v1/retrain-runs/${id}` }), options, describe);
        return;
      }
      const query = options.model === undefined ? "" : `?${new URLSearchParams({ model: options.model })}`;
      const { runs } = await client.json<{ runs: RetrainRun[] }>({ path: `/v1/retrain-runs${query}` });
      print(runs, options, () => (runs.length === 0 ? "no runs" : runs.map(line).join("\n")));
    });
  return newGroup("retrain", "ask for a new version of a model", [run, status]);
}

function line({ id, model, status, requested_at, reason }: RetrainRun): string {
  return [id, model, status.padEnd(9), requested_at, reason].join("  ");
}

function describe(run: RetrainRun): string {
  return [
    `run ${run.id} of ${run.model}: ${run.status}`,
    `  why   ${run.reason}`,
    `  data  ${run.data.from} … ${run.data.to}`,
    ...(run.delivery?.last_error ? [`  sent  ${run.delivery.state}: ${run.delivery.last_error}`] : []),
    ...run.reports.map(({ at, status, message, version }) =>
      ["  said ", at, status, version === undefined ? "" : `version ${version}`, message ?? ""]
        .filter((part) => part !== "")
        .join(" "),
    ),
  ].join("\n");
}
