import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

// The hooks with the React of this folder: from src they would get the one of the test runner.

const outfile = fileURLToPath(new URL('node_modules/.cache/hooks.mjs', import.meta.url))
const entryPoint = fileURLToPath(new URL('../../../src/client/react.ts', import.meta.url))

await build({ entryPoints: [entryPoint], outfile, bundle: true, format: 'esm', target: 'node20', external: ['react'] })
const hooks: typeof import('../../../src/client/react.js') = await import(outfile)

export const { CountersignProvider, useClient, useConnectionState, useLatest, useSubscription } = hooks
