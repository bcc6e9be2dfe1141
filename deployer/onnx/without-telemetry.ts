/*
 * onnxruntime 1.30 as it comes from npm tells its makers of the machine and of each model that is
 * loaded, over the network, and leaves files in the temporary folder. Nothing that runs here is anybody else's business.
 * Whoever wants it sets the variable to 0. It is read when the runtime starts, in whichever thread.
 */
process.env.ORT_DISABLE_TELEMETRY ??= "1";
