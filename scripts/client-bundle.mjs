// How the client is bundled for browsers: for the demo page, and for the package `@countersign/client`.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Bound of the bundle, gzipped, in bytes. */
export const maxBundleBytes = 16 * 1024

/** Parts of the protocol that only a gateway reads: statuses and texts of codes, and what the bridge alone receives. */
const slim = {
  name: 'slim',
  setup(builder) {
    builder.onLoad({ filter: /protocol\/codes\.ts$/ }, ({ path }) => ({
      loader: 'ts',
      contents: readFileSync(path, 'utf8').replace(/status: \d+, message: '[^']*'/g, text =>
        /signature/.test(text) ? text.replace(/status: \d+, /, '') : ''
      )
    }))
    builder.onLoad({ filter: /checks\.generated\.ts$/ }, ({ path }) => ({
      loader: 'ts',
      contents: readFileSync(path, 'utf8')
        .replace(/^ {2}polled: \[\n[^\]]*\],\n/m, '')
        .replace(/^.*name: '(?:poll|expectedSeq)', required: false.*\n/gm, '')
    }))
  }
}

export const browserOptions = {
  entryPoints: [`${root}src/client/browser.ts`],
  bundle: true,
  minify: true,
  target: 'safari15',
  plugins: [slim],
  legalComments: 'none',
  logLevel: 'warning'
}
