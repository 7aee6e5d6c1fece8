import { randomBytes } from 'node:crypto'

const processBytes = 9
const processPrefix = randomBytes(processBytes).toString('base64url')
let count = 0

/** A unique epoch. It is cheap to create: every publication gets one in case its channel begins a new epoch. */
export function newEpoch(): string {
  return processPrefix + (count++).toString(36)
}
