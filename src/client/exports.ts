/** The exports of both entries. */
export type {
  CallHandler,
  CallInfo,
  CallTarget,
  History,
  Member,
  Presence,
  PresenceChange,
  SessionEntry,
  SessionList
} from './answers.js'
export { CountersignClient } from './client.js'
export type { Credential, CredentialOption, GivenCredential, TicketResponse } from './credential.js'
export { CallError, type CallFailure, RequestError, type RequestErrorDetails, type RequestOutcome } from './errors.js'
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
export type { CallOptions, PublishOptions, RepeatableOptions, RequestOptions } from './verbs.js'
