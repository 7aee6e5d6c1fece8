/** Retry delay after a refusal whose cause may pass at any moment, such as an outage of the store, in milliseconds. */
export const retryAfterMs = 1000
