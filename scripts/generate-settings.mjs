// Writes .env.example and docs/settings.md from the schema of the settings (src/config/schema.ts). With --print it
// prints both instead, and a test compares them with the committed files.
import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))

const { outputFiles } = await build({
  entryPoints: [`${root}src/config/schema.ts`],
  bundle: true,
  write: false,
  format: 'esm',
  platform: 'node'
})
const { settingsSchema } = await import(
  `data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`
)

function entry([name, schema]) {
  const range = schema.type === 'integer' ? ` From ${schema.minimum} to ${schema.maximum}.` : ''
  return `# ${schema.description}${range}\n#${name}=${schema.default ?? ''}\n`
}

const output = `# Settings of a gateway: copy to .env, or set in the environment. The options of \`countersign serve\` have the same names.
# Commented lines show the defaults.
# Generated from src/config/schema.ts by \`npm run generate\`.

${Object.entries(settingsSchema.properties).map(entry).join('\n')}`

const flagOf = name => `--${name.slice('COUNTERSIGN_'.length).toLowerCase().replaceAll('_', '-')}`

function row([name, schema]) {
  const range = schema.type === 'integer' ? ` ${schema.minimum} to ${schema.maximum}.` : ''
  const preset = schema.default === undefined || schema.default === '' ? '' : `\`${schema.default}\``
  return `| \`${name}\` | \`${flagOf(name)}\` | ${preset} | ${schema.description.replaceAll('|', '\\|')}${range} |`
}

const settings = `# Settings

Generated from src/config/schema.ts by \`npm run generate\`. Precedence: an option of \`countersign serve\`, the environment,
\`.env\` in the working folder, the default. The gateway does not start with a name that starts with \`COUNTERSIGN_\` and is not
in this table. Bounds without a setting: [bounds.md](bounds.md).

| environment | option | default | meaning |
|---|---|---|---|
${Object.entries(settingsSchema.properties).map(row).join('\n')}
`

if (process.argv.includes('--print')) process.stdout.write(output + settings)
else {
  mkdirSync(`${root}docs`, { recursive: true })
  writeFileSync(`${root}.env.example`, output)
  writeFileSync(`${root}docs/settings.md`, settings)
}
