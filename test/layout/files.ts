import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'

/** The files that the layout tests read. Paths are relative to the repository's root. */

export function filesUnder(folder: string, ending: RegExp): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(name => ending.test(name))
    .map(name => join(folder, name))
    .sort()
}

export function read(path: string): string {
  return readFileSync(path, 'utf8')
}

/** The gateway's sources, declarations aside. */
export const sources = filesUnder('src', /\.ts$/).filter(file => !file.endsWith('.d.ts'))

/** Sources that people write. */
export const writtenSources = sources.filter(file => !file.endsWith('.generated.ts'))

/** Every file of the test folder that people write. */
export const testFiles = filesUnder('test', /\.(ts|mjs|py|luau)$/)

/** The module of a file: its folder under src, or its own name. */
export function moduleOf(file: string): string {
  const [module = ''] = relative('src', file).split('/')
  return module.replace(/\.ts$/, '')
}

export interface Import {
  readonly target: string
  readonly typeOnly: boolean
}

/** The relative imports and re-exports of a file. */
export function importsOf(file: string): Import[] {
  const pattern = /^(?:import|export)\s+(type\s)?[^;'"]*?from '(\.[^']+)'|import\('(\.[^']+)'\)/gm
  return [...read(file).matchAll(pattern)].map(match => ({
    target: normalize(join(dirname(file), (match[2] ?? match[3] ?? '').replace(/\.js$/, '.ts'))),
    typeOnly: match[1] !== undefined
  }))
}
