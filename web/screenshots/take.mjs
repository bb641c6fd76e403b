// Takes the pictures of the documentation anew: `make screenshots`.
import { fileURLToPath } from "node:url";
import { runnerImport } from "vite";

process.env.NODE_ENV = "production"; // what is bundled here is what users get
const { module } = await runnerImport(fileURLToPath(new URL("take.ts", import.meta.url)), { configFile: false, logLevel: "warn" });
await module.take(fileURLToPath(new URL("../../docs/img", import.meta.url)));
