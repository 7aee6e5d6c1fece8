import { randomBytes } from 'node:crypto'

const processBytes = 9
const ofThisProcess = randomBytes(processBytes).toString('base64url')
let count = 0

/** An epoch that never was and never will be again: cheap, as one is at hand for each publication. */
export function newEpoch(): string {
  return ofThisProcess + (count++).toString(36)
}
