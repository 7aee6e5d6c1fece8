import { randomBytes } from 'node:crypto'

/** Settings of a gateway with a Redis of its own; pass the first one's secrets to further instances. */
export function redisSettings(url, secrets = newSecrets()) {
  return { COUNTERSIGN_STORE: url, COUNTERSIGN_LOG_LEVEL: 'info', ...secrets }
}

/** Settings shared by all instances of one store. */
export function newSecrets() {
  return {
    COUNTERSIGN_MASTER_KEY: randomBytes(32).toString('base64'),
    COUNTERSIGN_ADMIN_TOKEN: randomBytes(32).toString('base64url')
  }
}
