// Writes .env.example from the configuration's schema (src/config.ts). Prints it with --print instead.
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))

const { outputFiles } = await build({
  entryPoints: [`${root}src/config.ts`],
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
# Generated from src/config.ts by \`npm run generate\`.

${Object.entries(environmentSchema.properties).map(entry).join('\n')}`

if (process.argv.includes('--print')) process.stdout.write(output)
else writeFileSync(`${root}.env.example`, output)
