// Writes .env.example and docs/settings.md from the configuration's schema (src/config/schema.ts). With --print it prints both
// instead; a test compares that with what is committed.
import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))

const { outputFiles } = await build({
  entryPoints: [`${root}src/config/load.ts`],
  bundle: true,
  write: false,
  format: 'esm',
  platform: 'node'
})
const { environmentSchema } = await import(
  `data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`
)

function entry([name, schema]) {
  const range = schema.type === 'integer' ? ` From ${schema.minimum} to ${schema.maximum}.` : ''
  return `# ${schema.description}${range}\n#${name}=${schema.default ?? ''}\n`
}

const output = `# Settings of a gateway: copy to .env, or set in the environment. Flags of \`countersign serve\` have the same names.
# What is commented out shows the default.
# Generated from src/config/schema.ts by \`npm run generate\`.

${Object.entries(environmentSchema.properties).map(entry).join('\n')}`

const flagOf = name => `--${name.slice('COUNTERSIGN_'.length).toLowerCase().replaceAll('_', '-')}`

function row([name, schema]) {
  const range = schema.type === 'integer' ? ` ${schema.minimum} to ${schema.maximum}.` : ''
  const preset = schema.default === undefined || schema.default === '' ? '' : `\`${schema.default}\``
  return `| \`${name}\` | \`${flagOf(name)}\` | ${preset} | ${schema.description.replaceAll('|', '\\|')}${range} |`
}

const settings = `# Settings

Generated from src/config/schema.ts by \`npm run generate\`. A flag of \`countersign serve\` comes before the environment, that before
\`.env\` in the working folder, that before the default. A name that begins with \`COUNTERSIGN_\` and is not here stops the start.

| environment | flag | default | meaning |
|---|---|---|---|
${Object.entries(environmentSchema.properties).map(row).join('\n')}
`

if (process.argv.includes('--print')) process.stdout.write(output + settings)
else {
  mkdirSync(`${root}docs`, { recursive: true })
  writeFileSync(`${root}.env.example`, output)
  writeFileSync(`${root}docs/settings.md`, settings)
}
