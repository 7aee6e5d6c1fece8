/** What both entries export. */
export type { History, Member, Presence, PresenceChange, SessionEntry, SessionList } from './answers.js'
export { CountersignClient } from './client.js'
export type { Credential, CredentialOption, GivenCredential, TicketResponse } from './credential.js'
export { RequestError, type RequestErrorDetails, type RequestOutcome } from './errors.js'
export type { Fault } from './events.js'
export type {
  Attributes,
  ClientEvents,
  ClientOptions,
  ClientState,
  Joined,
  Position,
  Publication,
  PublicationHandler,
  Published,
  SessionInfo,
  SubscribeOptions,
  Subscription,
  Validation,
  Welcome
} from './options.js'
export type { PublishOptions, RepeatableOptions, RequestOptions } from './verbs.js'
