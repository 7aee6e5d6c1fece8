import type { Config } from '../config/load.js'
import { passwordsOf } from '../config/store-url.js'

/** The secrets of the configuration, in all forms that may occur in a text. */
export function configuredSecrets({
  store,
  masterKeys = [],
  adminToken,
  metricsToken
}: Pick<Config, 'store' | 'masterKeys' | 'adminToken' | 'metricsToken'>): string[] {
  const keys = masterKeys.map(key => Buffer.from(key))
  return [
    ...keys.flatMap(key => [key.toString('base64'), key.toString('base64url'), key.toString('hex')]),
    ...(adminToken === undefined ? [] : [adminToken]),
    ...(metricsToken === undefined ? [] : [metricsToken]),
    ...(store.kind === 'redis' ? [...passwordsOf(store.url), ...[store.sentinelPassword ?? []].flat()] : [])
  ]
}
