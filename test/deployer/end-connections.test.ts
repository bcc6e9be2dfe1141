import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterAll, expect, it } from "vitest";
import { adding, modelFolder, planned, planOf, replicaOn } from "./replica-on.ts";

const folder = modelFolder();
afterAll(() => folder.remove());

const GRACE_MS = 1_000; // half of it for connections that ask for nothing
const body = JSON.stringify({ instances: [[1, 2]] });
const REQUEST = `POST /v1/models/model:predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${body.length}\r\n\r\n${body}`;

/** A replica with a connection that has had its first answer and is kept. */
async function withKeptConnection() {
  const replica = await replicaOn(
    planOf([await planned({ model_file: folder.write("model.onnx", adding(1)) })]),
  );
  const socket = connect(Number(new URL(replica.url).port), "127.0.0.1");
  socket.write(REQUEST);
  expect(await answerOf(socket)).toMatch(/^HTTP\/1.1 200 .*connection: keep-alive/is);
  return { replica, socket };
}

async function answerOf(socket: Socket): Promise<string> {
  const [part] = (await once(socket, "data")) as [Buffer];
  return part.toString();
}

it("a call that is sent while the replica is to end is answered, as the last on its connection", async () => {
  const { replica, socket } = await withKeptConnection();
  const drained = replica.drain(GRACE_MS);
  socket.write(REQUEST);
  expect(await answerOf(socket)).toMatch(/^HTTP\/1.1 200 .*connection: close.*"predictions":\[\[2,3\]\]/is);
  await drained;
});

it("one that had arrived when its connection was to be ended for asking nothing is answered, too", async () => {
  const { replica, socket } = await withKeptConnection();
  const drained = replica.drain(GRACE_MS);
  const until = performance.now() + GRACE_MS * 0.75;
  await new Promise((resolve) => setTimeout(resolve, GRACE_MS / 4));
  await new Promise(setImmediate); // where the replica scores, too: timers come after that, and sockets after those
  socket.write(REQUEST); // goes out at once
  // The event loop is busy, as with a slow model, until the time for such connections is over: the call lies unread.
  while (performance.now() < until);
  expect(await answerOf(socket)).toMatch(/^HTTP\/1.1 200 /);
  await drained;
});

it("a connection that asks for nothing is ended, long before the time is up", async () => {
  const { replica, socket } = await withKeptConnection();
  const closed = once(socket, "close");
  await replica.drain(600);
  await closed;
});

it("so is one that has never asked for anything, while a call is still coming in on another", async () => {
  const { replica, socket } = await withKeptConnection();
  const silent = connect(Number(new URL(replica.url).port), "127.0.0.1");
  await once(silent, "connect");
  socket.write(REQUEST);
  await answerOf(socket); // by now the other one has been taken, too
  socket.write(REQUEST.slice(0, -1));
  const closed = once(silent, "close");
  const drained = replica.drain(GRACE_MS);
  await closed;
  socket.write(REQUEST.slice(-1)); // too late, were the time up
  expect(await answerOf(socket)).toMatch(/^HTTP\/1.1 200 /);
  socket.destroy();
  await drained;
});
