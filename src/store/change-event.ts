/** The object of a change of durable state, so that every instance revalidates the affected sessions. */
export interface ChangeEvent {
  /** `client`: the client or its keys; `ticket`: one of the client's tickets; `session`: the session is revoked. */
  readonly kind: ChangeKind
  /** The client id for `client` and `ticket`, the session id for `session`. */
  readonly id: string
}

/** A change event as the store lists it. */
export interface SequencedChange {
  /** Number of its audit entry. */
  readonly seq: number
  /** Undefined if a newer version of the gateway wrote an event of a kind unknown to this version. */
  readonly event: ChangeEvent | undefined
}

const changeKinds = ['client', 'ticket', 'session'] as const
type ChangeKind = (typeof changeKinds)[number]

/** The stored form: `kind:id`. */
export function formatChangeEvent({ kind, id }: ChangeEvent): string {
  return `${kind}:${id}`
}

/** Reads the stored form; undefined if the kind is unknown. */
export function parseChangeEvent(text: string): ChangeEvent | undefined {
  const end = text.indexOf(':')
  const kind = changeKinds.find(each => each === text.slice(0, end))
  return kind === undefined ? undefined : { kind, id: text.slice(end + 1) }
}
