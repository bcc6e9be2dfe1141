import { userInfo } from "node:os";

/** Whom this process works for; a container's user may have no name. */
export function userName(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}
