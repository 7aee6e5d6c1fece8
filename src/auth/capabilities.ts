import { covers, coversChannels } from './patterns.js'

/** Permissions of a client (PROTOCOL §3), each a list of patterns. */
export interface Capabilities {
  /** Channels that the client may join. */
  readonly subscribe: readonly string[]
  /** Channels that the client may publish to. */
  readonly publish: readonly string[]
  /** Services whose licenses the client may validate. */
  readonly services: readonly string[]
  /** Methods of other clients that the client may call: `<clientId>/<method>`. */
  readonly call: readonly string[]
  /** Channels whose presence the client may see. */
  readonly presence: readonly string[]
}

export type CapabilityName = keyof Capabilities

/** How the patterns of each capability are compared. */
const isCovered: Readonly<Record<CapabilityName, typeof covers>> = {
  subscribe: coversChannels,
  publish: coversChannels,
  services: covers,
  call: covers,
  presence: coversChannels
}

export const capabilityNames = Object.keys(isCovered) as readonly CapabilityName[]

/** The capabilities of a record, which may have other members. Lists that it lacks are empty: earlier versions had fewer. */
export function capabilitiesOf({ subscribe, publish, services, call, presence }: Partial<Capabilities>): Capabilities {
  return {
    subscribe: subscribe ?? [],
    publish: publish ?? [],
    services: services ?? [],
    call: call ?? [],
    presence: presence ?? []
  }
}

/** Whether both allow the same, list by list and pattern by pattern. */
export function sameCapabilities(a: Capabilities, b: Capabilities, names = capabilityNames): boolean {
  return names.every(name => a[name].length === b[name].length && a[name].every((pattern, i) => pattern === b[name][i]))
}

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
