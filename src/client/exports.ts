/** What both entries export. */
export type { PublishOptions, RequestOptions } from './calls.js'
export type { SubscribeOptions } from './client.js'
export { CountersignClient } from './client.js'
export type { CredentialOption, GivenCredential, TicketResponse } from './credential.js'
export { RequestError, type RequestErrorDetails, type RequestOutcome } from './errors.js'
export type { Fault } from './events.js'
export type {
  ClientEvents,
  ClientOptions,
  ClientState,
  Publication,
  Published,
  SessionInfo,
  Validation,
  Welcome
} from './options.js'
export type { Credential } from './session.js'
export type { Joined, Position, PublicationHandler, Subscription } from './subscription.js'
