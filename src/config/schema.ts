import Type from 'typebox'

/** The environment that the gateway reads: one schema, from which .env.example and docs/settings.md are made. */

const integer = (minimum: number, maximum: number, preset: number, description: string) =>
  Type.Integer({ minimum, maximum, default: preset, description })

export const environmentSchema = Type.Object({
  COUNTERSIGN_HOST: Type.String({ default: '127.0.0.1', minLength: 1, description: 'Address to listen on.' }),
  COUNTERSIGN_PORT: integer(0, 65_535, 8080, 'Port to listen on; 0 takes a free one.'),
  COUNTERSIGN_STORE: Type.String({
    default: 'embedded',
    pattern: '^(embedded|(redis|rediss|redis\\+sentinel|redis\\+cluster)://.+)$',
    description: '`embedded`, or redis://…, rediss://…, redis+sentinel://host:port,…/name, redis+cluster://host:port,…'
  }),
  COUNTERSIGN_DATA_DIR: Type.String({
    default: './data',
    minLength: 1,
    description: 'Folder of the embedded store and of the generated master key and admin token.'
  }),
  COUNTERSIGN_MASTER_KEY: Type.Optional(
    Type.String({
      description:
        'Base64 of 32 bytes; several separated by commas: the first encrypts, all decrypt. Required with Redis.'
    })
  ),
  COUNTERSIGN_ADMIN_TOKEN: Type.Optional(
    Type.String({ pattern: '^[!-~]{32,256}$', description: '32 to 256 printable characters. Required with Redis.' })
  ),
  COUNTERSIGN_LOG_LEVEL: Type.Union(
    ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'].map(level => Type.Literal(level)),
    { default: 'info', description: 'trace, debug, info, warn, error, fatal or silent.' }
  ),
  COUNTERSIGN_RATE_LIMIT: Type.Union([Type.Literal('on'), Type.Literal('off')], {
    default: 'on',
    description: '`on`, or `off`, which lifts every rate, delay and count per IP or client; sizes stay bounded.'
  }),
  COUNTERSIGN_TRUST_PROXY: Type.String({
    default: 'none',
    description: '`none`, or the addresses and CIDRs of proxies whose X-Forwarded-* headers are believed.'
  }),
  COUNTERSIGN_ALLOWED_ORIGINS: Type.String({
    default: '',
    description: "`*` or a list of browser origins; empty: the gateway's own origin and loopback pages."
  }),
  COUNTERSIGN_INSECURE_HTTP: Type.Union([Type.Literal('refuse'), Type.Literal('allow')], {
    default: 'refuse',
    description: '`refuse` or `allow` admin, ticket and token calls over plain HTTP from beyond loopback.'
  }),
  COUNTERSIGN_TLS_CERT: Type.Optional(Type.String({ minLength: 1, description: 'PEM file of the certificate chain.' })),
  COUNTERSIGN_TLS_KEY: Type.Optional(Type.String({ minLength: 1, description: 'PEM file of its private key.' })),
  COUNTERSIGN_DRAIN_SECONDS: integer(
    0,
    3600,
    10,
    'Seconds that sessions get to move elsewhere when the process stops.'
  ),
  COUNTERSIGN_HEARTBEAT_INTERVAL_SECONDS: integer(1, 3600, 15, 'Seconds between heartbeats, told in the welcome.'),
  COUNTERSIGN_HEARTBEAT_TIMEOUT_SECONDS: integer(2, 7200, 45, 'Seconds of silence after which a session is dead.'),
  COUNTERSIGN_BRIDGE_TIMEOUT_SECONDS: integer(
    30,
    7200,
    90,
    'Seconds without an exchange after which a session of the bridge is dead.'
  ),
  COUNTERSIGN_LINGER_MS: integer(
    0,
    5000,
    50,
    'Milliseconds that a held poll waits after its first frame, so that more can ride along.'
  ),
  COUNTERSIGN_FRESH_CHALLENGE_SECONDS: integer(0, 86_400, 600, 'Seconds between challenges in a session; 0: none.'),
  COUNTERSIGN_FRAME_BYTES: integer(4096, 1_048_576, 65_536, 'Largest frame, in bytes.'),
  COUNTERSIGN_MAX_SESSIONS: integer(1, 1_000_000, 100_000, 'Sessions that one instance holds.'),
  COUNTERSIGN_MAX_SESSIONS_PER_CLIENT: integer(
    1,
    1_000_000,
    10_000,
    'Live sessions of one client, over all instances.'
  ),
  COUNTERSIGN_FAILED_HANDSHAKES_PER_MINUTE: integer(
    1,
    1_000_000,
    20,
    'Failed handshakes an address may make a minute.'
  ),
  COUNTERSIGN_HANDSHAKES_PER_MINUTE: integer(1, 1_000_000, 1200, 'Handshakes an address may begin a minute.'),
  COUNTERSIGN_FRAMES_PER_SECOND: integer(1, 1_000_000, 200, 'Frames a session may send a second, in the long run.'),
  COUNTERSIGN_PRESENCE: Type.String({
    default: 'none',
    description:
      '`none`, or channels of which it is kept who is there: a list of patterns, literal characters then at most one final `*`.'
  }),
  COUNTERSIGN_HISTORY_SIZE: integer(1, 65_536, 1024, 'Publications that a channel keeps for recovery, the newest.'),
  COUNTERSIGN_HISTORY_SECONDS: integer(1, 86_400, 300, "Seconds that a channel's history outlives its newest entry.")
})
