import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import type { Command } from "commander";
import { stringify } from "yaml";
import { kubernetesFiles, kubernetesName } from "../../deployer/package/kubernetes.ts";
import { writePackage } from "../../deployer/package/write-package.ts";
import { ServiceError } from "../../schema/errors.ts";
import type { Profile } from "../../schema/profile.ts";
import type { ApiClient } from "../api-client.ts";
import { packageRoot } from "../package-root.ts";
import { hashOf, type ScoringModel, scoringModel } from "../scoring-model.ts";
import { versionJob } from "../version-job.ts";
import { clientFor, newCommand, print, type ServerOptions, withServer } from "./command.ts";

interface Options extends ServerOptions {
  readonly json?: boolean;
  readonly image?: string;
  readonly collector?: string;
  readonly collectorKeyFile?: string;
  readonly allowModule?: string;
}

export function packageCommand(): Command {
  return withServer(
    newCommand("package", {
      does: "write a folder that serves a version by itself: node replica.js here, a Dockerfile, and Kubernetes resources sized by its last profile",
      example: `leeway model package churn@champion churn-edge
leeway model package churn:3 churn-image --image registry.example/churn:3 --collector http://leeway:8420`,
    }),
  )
    .argument("<model>", "NAME (the newest version), NAME:VERSION, NAME@ALIAS, or a file that ends in .onnx")
    .argument("<folder>", "where it is written; it must be empty or not be there")
    .option(
      "--image <name>",
      "name of the container image in the Kubernetes resources (NAME:VERSION when absent)",
    )
    .option("--collector <url>", "send what is scored to this collector; nothing is collected when absent")
    .option("--collector-key-file <file>", "with --collector: file with the key, where the package will run")
    .option(
      "--allow-module <file>",
      "run preprocess and postprocess of this file (.mjs) of the version around its model, whose author is trusted; beside an .onnx file: of this file here",
    )
    .action(packageModel);
}

async function packageModel(written: string, folder: string, options: Options): Promise<void> {
  const client = clientFor(options);
  const fetched = mkdtempSync(join(tmpdir(), "leeway-package-"));
  const job = versionJob("packaging");
  try {
    const model = await scoringModel(written, { client, folder: fetched, job });
    const { name, version } = model;
    const plain = kubernetesName(name);
    const module = await moduleOf(model, options.allowModule, fetched);
    const profile = await lastProfile(client, model);
    const resources = kubernetesFiles({
      name: plain,
      model: name,
      version,
      image: options.image ?? `${plain}:${version}`,
      recommendation: profile?.recommendation,
    });
    await writePackage(
      folder,
      {
        model: name,
        version,
        files: [...filesOf(model, fetched), ...(module && model.model === undefined ? [module] : [])],
        module,
        sha256: await hashOf(model.file),
        signature: model.signature,
        sample: model.sample,
        recommendation: profile?.recommendation,
        capture:
          options.collector === undefined
            ? undefined
            : captureOf(options.collector, options.collectorKeyFile),
      },
      {
        root: packageRoot,
        write: Object.fromEntries(
          resources.map(({ file, comment, document }) => [
            `kubernetes/${file}`,
            `# ${comment}\n${stringify(document)}`,
          ]),
        ),
      },
    );
    const sized = profile === undefined ? "not measured" : `profile ${profile.id}, grade ${profile.grade}`;
    print({ folder, model: name, version, resources: sized }, options, () =>
      [
        `${folder} serves ${name}:${version}`,
        `  here:        node ${join(folder, "replica.js")} --port 8430`,
        `  container:   docker build -t ${options.image ?? `${plain}:${version}`} ${folder}`,
        `  Kubernetes:  kubectl apply -f ${join(folder, "kubernetes")} (resources: ${sized})`,
      ].join("\n"),
    );
  } finally {
    await job.end();
    rmSync(fetched, { recursive: true, force: true });
  }
}

function captureOf(collector: string, keyFile: string | undefined) {
  const plain = { collector, sample: 1, batch_ms: 1_000, time: "call" } as const;
  return { ...plain, ...(keyFile === undefined ? {} : { api_key_file: keyFile }) };
}

/** The model itself first, under a plain name when it was rewritten, and what lies beside it. */
function filesOf(model: ScoringModel, fetched: string) {
  const { main_file: main, file } = model;
  const rewritten = file !== main.from;
  const first = {
    path: rewritten ? join(dirname(main.path), `served-${basename(main.path)}`) : main.path,
    from: file,
  };
  const others = model.others.map((path) => ({ path, from: join(fetched, path) }));
  return [first, ...others];
}

/** What may run before and after the model. @throws ServiceError `invalid-input` when there is no such file. */
async function moduleOf(model: ScoringModel, named: string | undefined, fetched: string) {
  if (named === undefined) return undefined;
  if (!named.endsWith(".mjs"))
    throw new ServiceError("invalid-input", `--allow-module ${named}: expected a file that ends in .mjs`);
  const registered = model.model !== undefined;
  const path = registered ? named : basename(named);
  const from = registered ? join(fetched, named) : named;
  if (registered ? !model.others.includes(named) : !existsSync(named))
    throw new ServiceError(
      "invalid-input",
      registered
        ? `${model.label} has no file ${named}: register it with the model, or package without a module`
        : `--allow-module ${named}: no such file`,
    );
  return { path, from, sha256: await hashOf(from) };
}

/** Of this version; a server that is not there, or knows none, is no failure: the file says that nothing was measured. */
async function lastProfile(
  client: ApiClient,
  { model, version }: ScoringModel,
): Promise<Profile | undefined> {
  if (model === undefined) return undefined;
  const query = new URLSearchParams({ model, limit: "100" });
  const { profiles } = await client.json<{
    readonly profiles: readonly { readonly id: string; readonly target: Profile["target"] }[];
  }>({
    path: `/v1/profiles?${query}`,
  });
  const newest = profiles.find((profile) => profile.target.version === version);
  return newest && client.json<Profile>({ path: `/v1/profiles/${newest.id}` });
}
