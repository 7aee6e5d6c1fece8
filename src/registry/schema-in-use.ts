/** The form in which this instance writes, as the store's identity states it; shared by all sealers. */
export interface SchemaInUse {
  /** {@link plainSchema}: also readable for instances of an earlier version that run beside this one. */
  version: number
  /** Whether records in the form of the plain schema are still read. */
  acceptsPlain: boolean
}

/** 1: plain records, of versions before sealed records. 2: every record is sealed. */
export const plainSchema = 1
export const currentSchema = 2

/** The form of a store that no earlier version uses. */
export function currentForm(): SchemaInUse {
  return { version: currentSchema, acceptsPlain: false }
}

/** Whether records, keys, tickets and bridge sessions are written in a form that an earlier version can read. */
export function writesPlain({ version }: SchemaInUse): boolean {
  return version === plainSchema
}
