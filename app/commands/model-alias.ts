import type { Command } from "commander";
import type { AliasChange, AliasState } from "../../schema/model-version.ts";
import { userName } from "../user-name.ts";
import { clientFor, newCommand, newGroup, path, print, type ServerOptions, withServer } from "./command.ts";

type Options = ServerOptions & { readonly json?: boolean };

interface Why {
  readonly why: string;
  readonly by?: string;
}

export function aliasCommand(): Command {
  const set = withServer(
    newCommand("set", {
      does: "point an alias to a version",
      example: 'leeway model alias set churn champion 4 --why "better on last month"',
    }),
  )
    .argument("<name>")
    .argument("<alias>")
    .argument("<version>")
    .requiredOption("--why <text>", "why; it is kept in the alias's history")
    .option("--by <who>", "who wants it (your user name when absent)")
    .action(async (name: string, alias: string, version: string, options: Options & Why) => {
      const state = await clientFor(options).send<AliasState>(
        "PUT",
        path`/v1/models/${name}/aliases/${alias}`,
        {
          version: version.replace(/^[^:]*:/, ""),
          why: options.why,
          by: options.by ?? userName(),
        },
      );
      print(state, options, describe);
    });

  const show = withServer(
    newCommand("show", {
      does: "what an alias points to, or pointed to at a time",
      example:
        "leeway model alias show churn champion\nleeway model alias show churn champion --at 2026-11-01T12:00:00Z",
    }),
  )
    .argument("<name>")
    .argument("<alias>")
    .option("--at <time>", "RFC 3339")
    .action(async (name: string, alias: string, options: Options & { readonly at?: string }) => {
      const query = options.at === undefined ? "" : `?${new URLSearchParams({ at: options.at })}`;
      const where = `${path`/v1/models/${name}/aliases/${alias}`}${query}`;
      print(await clientFor(options).json<AliasState>({ path: where }), options, describe);
    });

  const remove = withServer(
    newCommand("delete", {
      does: "let an alias point to nothing; its history stays",
      example: 'leeway model alias delete churn challenger --why "the trial is over"',
    }),
  )
    .argument("<name>")
    .argument("<alias>")
    .requiredOption("--why <text>", "why; it is kept in the alias's history")
    .option("--by <who>", "who wants it (your user name when absent)")
    .action(async (name: string, alias: string, options: Options & Why) => {
      const by = options.by ?? userName();
      const query = new URLSearchParams({ why: options.why, ...(by === undefined ? {} : { by }) });
      await clientFor(options).call({
        method: "DELETE",
        path: `${path`/v1/models/${name}/aliases/${alias}`}?${query}`,
      });
      print({ model: name, alias, version: null }, options, () => `${name}@${alias} points to nothing`);
    });

  const history = withServer(
    newCommand("history", {
      does: "every change of a model's aliases, or of one, newest first",
      example: "leeway model alias history churn\nleeway model alias history churn champion",
    }),
  )
    .argument("<name>")
    .argument("[alias]")
    .action(async (name: string, alias: string | undefined, options: Options) => {
      const client = clientFor(options);
      const changes: AliasChange[] = [];
      for (let cursor: string | null = ""; cursor !== null; ) {
        const query = new URLSearchParams({
          limit: "500",
          ...(alias === undefined ? {} : { alias }),
          ...(cursor === "" ? {} : { cursor }),
        });
        const page: { readonly changes: AliasChange[]; readonly cursor: string | null } = await client.json({
          path: `${path`/v1/models/${name}/alias-history`}?${query}`,
        });
        changes.push(...page.changes);
        cursor = page.cursor;
      }
      print({ changes }, options, () => changes.map(changeLine).join("\n") || "no changes");
    });
  return newGroup("alias", "names that point to one version at a time", [set, show, history, remove]);
}

function describe(state: AliasState): string {
  const reason = [state.changed_by, state.why].filter((part) => part !== null).join(": ");
  return `${state.model}@${state.alias} is ${state.version} since ${state.changed_at}${reason === "" ? "" : `  ${reason}`}`;
}

function changeLine({ alias, version, previous, changed_at, changed_by, why }: AliasChange): string {
  const reason = [changed_by, why].filter((part) => part !== null).join(": ");
  return [changed_at, `@${alias}`, `${previous ?? "nothing"} → ${version ?? "nothing"}`, reason]
    .filter((part) => part !== "")
    .join("  ");
}
