/**
 * Owners whose quotas count a publication, as one text that is stored with it, separated by commas. The publishing
 * client comes first: its id has no `:`, unlike the name of any other owner. Examples: `game-1`; `web-1,tickets:tok_1`
 * for a session with a ticket; `token:tok_1` for `POST /v1/publish`; `` for none.
 */

const separator = ','

/** The owner of a token's own publications, and the caller's name in the audit log. */
export function tokenOwner(tokenId: string): string {
  return `token:${tokenId}`
}

const tokenPrefix = tokenOwner('')
const ticketsPrefix = 'tickets:'

/**
 * The owner that counts all tickets of one token together.
 * @param creator  of the ticket, as the audit log names it
 * @returns undefined if the creator has no quotas: it holds the admin token
 */
export function ticketsOwner(creator: string | undefined): string | undefined {
  return creator?.startsWith(tokenPrefix) === true ? ticketsPrefix + creator.slice(tokenPrefix.length) : undefined
}

/** Whether an owner stands for all tickets of a token, see {@link ticketsOwner}. */
export function isTicketsOwner(owner: string): boolean {
  return owner.startsWith(ticketsPrefix)
}

/** An owner, for the log. */
export function describeOwner(owner: string): object {
  if (isTicketsOwner(owner)) return { ticketsOf: owner.slice(ticketsPrefix.length) }
  return owner.startsWith(tokenPrefix) ? { actor: owner } : { clientId: owner }
}

/**
 * The owners of a session's actions. @param ticketOwner  see {@link ticketsOwner}; undefined for a client with a key
 */
export function ownersOfSession(clientId: string, ticketOwner: string | undefined): string {
  return ticketOwner === undefined ? clientId : clientId + separator + ticketOwner
}

export function ownersOf(owners: string): readonly string[] {
  if (owners === '') return []
  return owners.includes(separator) ? owners.split(separator) : [owners]
}

/** The first of them, which counts for resources without quotas per owner. */
export function firstOwnerOf(owners: string): string {
  const end = owners.indexOf(separator)
  return end === -1 ? owners : owners.slice(0, end)
}

/** The client whose session published; undefined if it was not a session. */
export function publisherOf(owners: string): string | undefined {
  const first = firstOwnerOf(owners)
  return first === '' || first.includes(':') ? undefined : first
}
