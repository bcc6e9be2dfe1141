/** What a package is started by; it needs nothing but Node. */
export function startFile(entry: string): string {
  return `// Answers scoring calls: node replica.js [--host 127.0.0.1] [--port 8430]\nimport "./${entry}";\n`;
}

/** What is installed in a container: the packages that the program imports, with the versions it was tried with. */
export function manifest(name: string, packages: Readonly<Record<string, string>>): string {
  const written = {
    name,
    private: true,
    type: "module",
    engines: { node: ">=20.19" },
    dependencies: packages,
    allowScripts: { "onnxruntime-node": false },
  };
  return `${JSON.stringify(written, null, 2)}\n`;
}

/** Installs in one stage, runs in another: no shell script of a package is run, and nothing runs as root. */
export function dockerfile(): string {
  return `FROM node:20-slim AS packages
WORKDIR /app
COPY package.json ./
RUN npm install --omit=dev --ignore-scripts --no-audit --no-fund \\
 && find node_modules/onnxruntime-node/bin -mindepth 3 -maxdepth 3 -type d ! -path "*/linux/$(node -p process.arch)" -exec rm -r {} + \\
 && rm -rf node_modules/onnxruntime-node/bin/*/darwin node_modules/onnxruntime-node/bin/*/win32

FROM node:20-slim
ENV NODE_ENV=production HOST=0.0.0.0
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY package.json replica.js plan.json ./
COPY program ./program
COPY model ./model
USER node
EXPOSE 8430
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \\
  CMD ["node", "-e", "fetch('http://127.0.0.1:8430/v2/health/ready').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "replica.js"]
`;
}
