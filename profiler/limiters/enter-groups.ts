/** A command that enters the groups first and then becomes the service: no moment of it runs outside. */
export function enterGroups(files: readonly string[], command: readonly string[]): readonly string[] {
  // Names of the files are arguments, never part of the script.
  const script = `n=$1; shift; while [ "$n" -gt 0 ]; do echo $$ > "$1" || exit 125; shift; n=$((n-1)); done; exec "$@"`;
  return ["/bin/sh", "-c", script, "leeway-enter", String(files.length), ...files, ...command];
}
