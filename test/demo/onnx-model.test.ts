import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { type FlightInputs, type LateModel, scoreFlight } from "../../demo/model.ts";
import { onnxModel, sampleOf } from "../../demo/onnx-model.ts";
import { rawTensor } from "../../deployer/onnx/raw-tensor.ts";
import { OnnxSession } from "../../deployer/onnx/session.ts";
import { sampleTensor } from "../../deployer/replica/self-check.ts";

const folder = mkdtempSync(join(tmpdir(), "leeway-test-onnx-model-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const model: LateModel = {
  intercept: -1.25,
  distance: 0.4,
  categories: {
    "hour=18h": 1.5,
    "hour=06h": -1,
    "origin=ORD": 0.25,
    "destination=ORD": -0.5,
    "weekday=Fri": 0.125,
  },
};
const flight: FlightInputs = {
  hour: "18h",
  weekday: "Fri",
  distance: 733,
  origin: "ORD",
  destination: "LGA",
};

it("answers as the model it was made of, also of what training did not see", async () => {
  const flights = [
    flight,
    { ...flight, hour: "06h", distance: 1_179.649 }, // kilometres, as after the fault
    { ...flight, hour: "03h", weekday: "Mon", origin: "LGA", destination: "ORD" },
    { ...flight, hour: "", weekday: "Férié", origin: "?", destination: "=ORD", distance: 0 },
  ];
  const file = join(folder, "late.onnx");
  writeFileSync(file, onnxModel(model));
  const session = await OnnxSession.load(file, { threads: 1 });
  const { inputs } = sampleOf(model, flights);
  const [answer, ...others] = await session.run(
    inputs.map((input) => rawTensor(sampleTensor(input), input.datatype === "BYTES" ? "BYTES" : "FP32")),
  );
  expect(others).toEqual([]);
  expect(answer).toMatchObject({ name: "probability", dims: [4] });
  const found = Array.from(answer?.data ?? [], Number);
  for (const [at, asked] of flights.entries()) expect(found[at]).toBeCloseTo(scoreFlight(model, asked), 6);
});
