// Browser builds of the vendors' clients: `<script src="dist/fal.js">` gives `window.Fal`, anthropic.js `window.AnthropicSDK`.
import { build } from "esbuild";

const clients = { fal: ["@fal-ai/client", "Fal"], anthropic: ["@anthropic-ai/sdk", "AnthropicSDK"] };

for (const [file, [name, globalName]] of Object.entries(clients)) {
  await build({
    stdin: { contents: `export * from "${name}";`, resolveDir: import.meta.dirname },
    outfile: `${import.meta.dirname}/dist/${file}.js`,
    bundle: true,
    format: "iife",
    globalName,
    platform: "browser",
    target: "es2022",
    logLevel: "warning",
  });
}
