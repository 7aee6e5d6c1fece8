import { covers, coversChannels } from './patterns.js'

/** What a client may do (PROTOCOL §3), each list in patterns. */
export interface Capabilities {
  /** Channels that the client may join. */
  readonly subscribe: readonly string[]
  /** Channels that the client may publish to. */
  readonly publish: readonly string[]
  /** Services whose licenses the client may validate. */
  readonly services: readonly string[]
}

export type CapabilityName = keyof Capabilities

/** How the patterns of each capability are compared. */
const isCovered: Readonly<Record<CapabilityName, typeof covers>> = {
  subscribe: coversChannels,
  publish: coversChannels,
  services: covers
}

export const capabilityNames = Object.keys(isCovered) as readonly CapabilityName[]

/**
 * The first wanted pattern that exceeds the limits; undefined if none does.
 * @param wanted  missing lists are empty
 */
export function findExcess(
  limits: Capabilities,
  wanted: Partial<Capabilities>
): { readonly name: CapabilityName; readonly pattern: string } | undefined {
  for (const name of capabilityNames) {
    const pattern = wanted[name]?.find(each => !isCovered[name](limits[name], each))
    if (pattern !== undefined) return { name, pattern }
  }
  return undefined
}
