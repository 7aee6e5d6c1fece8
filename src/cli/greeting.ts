import { isAbsolute, join, relative } from 'node:path'
import type { Config } from '../config/load.js'
import { adminTokenFile } from './first-start.js'

function relativePath(path: string): string {
  const near = relative(process.cwd(), path)
  return near.startsWith('..') || isAbsolute(near) ? path : `./${near}`
}

/**
 * Addresses and files for someone who has just started the gateway.
 * @param workers  number of serving processes
 */
export function greeting(config: Config, url: string, workers = 1): string {
  const store = config.store.kind === 'embedded' ? `embedded, in ${relativePath(config.dataDir)}` : 'Redis'
  const token =
    config.adminToken === undefined ? `in ${relativePath(join(config.dataDir, adminTokenFile))}` : 'as configured'
  return `
  Countersign is listening on ${url}
  store        ${store}${workers === 1 ? '' : `\n  workers      ${workers} processes`}
  admin token  ${token}
  try it       ${url}/demo   (README.md: create a client and a license first)
  reference    ${url}/docs   (PROTOCOL.md specifies the wire protocol)
  health       ${url}/readyz   ${url}/metrics

`
}
