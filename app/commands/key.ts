import { randomBytes } from "node:crypto";
import type { Command } from "commander";
import { ServiceError } from "../../schema/errors.ts";
import { resourceName } from "../../schema/names.ts";
import { role as roleSchema } from "../config-schema.ts";
import { didYouMean } from "../did-you-mean.ts";
import { addKey, hashKey, readKeyFile, revokeKey } from "../keys.ts";
import { newCommand, newGroup, print } from "./command.ts";
import { type ConfigOptions, effectiveConfig, withConfig } from "./config-options.ts";

type Options = ConfigOptions & { readonly json?: boolean };
const KEY_BYTES = 32;

export function keyCommand(): Command {
  const create = withConfig(
    newCommand("create", {
      does: "make an API key; it is shown once, and a server on the same data folder knows it at once",
      example: "leeway key create --role ingest --name churn-scorer",
    }),
  )
    .requiredOption("--role <role>", `what it may do: ${roleSchema.options.join(", ")}`)
    .option("--name <name>", "what it is for; made up when absent")
    .action((options: Options & { readonly role: string; readonly name?: string }) => {
      const role = roleSchema.safeParse(options.role).data;
      if (!role) {
        const meant = didYouMean(options.role, roleSchema.options);
        throw new ServiceError(
          "invalid-input",
          `"${options.role}" is not a role: ${meant ? `did you mean ${meant}?` : `expected ${roleSchema.options.join(", ")}`}`,
        );
      }
      const name = options.name ?? `${role}-${randomBytes(3).toString("hex")}`;
      const named = resourceName.safeParse(name);
      if (!named.success)
        throw new ServiceError("invalid-input", `--name ${name}: ${named.error.issues[0]?.message}`);
      const { config } = effectiveConfig(options);
      const wasOpen = config.api_keys.length === 0 && readKeyFile(config.data_dir).length === 0;
      const key = `lw_${randomBytes(KEY_BYTES).toString("base64url")}`;
      addKey(config.data_dir, { name, role, hash: hashKey(key), created_at: new Date().toISOString() });
      print({ name, role, key }, options, () => key);
      process.stderr.write(
        `key "${name}" with the role ${role} is in ${config.data_dir}: the line above is shown this once\n${
          wasOpen ? "it is the first key: from now on every call to this server needs one\n" : ""
        }`,
      );
    });

  const list = withConfig(
    newCommand("list", {
      does: "names and roles of the keys in the data folder",
      example: "leeway key list",
    }),
  ).action((options: Options) => {
    const keys = readKeyFile(effectiveConfig(options).config.data_dir);
    const shown = keys.map(({ name, role, created_at }) => ({ name, role, created_at }));
    print(shown, options, () =>
      shown.length === 0
        ? "no keys: leeway key create makes one"
        : shown.map(({ name, role, created_at }) => `${name}  ${role}  ${created_at}`).join("\n"),
    );
  });

  const revoke = withConfig(
    newCommand("revoke", { does: "end a key's validity at once", example: "leeway key revoke churn-scorer" }),
  )
    .argument("<name>", "name of the key")
    .action((name: string, options: Options) => {
      const { config } = effectiveConfig(options);
      revokeKey(config.data_dir, name, new Date());
      print({ revoked: name }, options, () => `key "${name}" is revoked`);
    });

  return newGroup("key", "API keys and what they may do", [create, list, revoke]);
}
