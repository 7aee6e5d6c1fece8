import { explained, withClient } from './client-session.js'
import type { Invocation } from './command.js'
import { UsageError } from './errors.js'
import { readKey } from './license-key.js'
import { printJson, printMembers } from './output.js'

const names = ['valid', 'code', 'serviceId', 'licenseId', 'expiresAt', 'maxHwids', 'boundHwids']

/** `countersign licenses validate`. @returns the exit code: 0 for VALID */
export async function validate(invocation: Invocation): Promise<number> {
  const { io, args, options } = invocation
  const { serviceId = '', key: given = '', hwid } = args
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(serviceId)) {
    throw new UsageError(`argument 'serviceId' must be 1 to 64 of letters, digits, ".", "_", "-"`)
  }
  const key = await readKey(io, given, "argument 'key'")
  const verdict = await withClient(invocation, { services: [serviceId] }, client =>
    explained(client.validate({ serviceId, key, ...(hwid === undefined ? {} : { hwid }) }))
  )
  const { expiresAt } = verdict
  const shown = expiresAt === undefined ? verdict : { ...verdict, expiresAt: new Date(expiresAt).toISOString() }
  if (options.json) await printJson(io, verdict)
  else await printMembers(io, { ...shown }, names)
  return verdict.valid ? 0 : 1
}
