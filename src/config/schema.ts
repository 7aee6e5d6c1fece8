import Type, { type Static } from 'typebox'

/** The gateway's settings. `.env.example`, docs/settings.md and the flags of `serve` are generated from this schema. */

const integer = (minimum: number, maximum: number, preset: number, description: string) =>
  Type.Integer({ minimum, maximum, default: preset, description })

/** Processes of one gateway: far more than the cores of common machines. */
export const maxWorkers = 64
const workers = /^(auto|[1-9]|[1-5][0-9]|6[0-4])$/

/** Of the admin token: HTTP removes spaces at the ends of a header. */
export const adminTokenPattern = '^[!-~][ -~]{30,4094}[!-~]$'

export const logLevels: readonly string[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']

/** The name suffix of a secret setting that names a file. */
const secretFile = (name: string) =>
  Type.Optional(
    Type.String({
      minLength: 1,
      description: `File that holds COUNTERSIGN_${name}, instead of it. A final newline is dropped.`
    })
  )

export const settingsSchema = Type.Object({
  COUNTERSIGN_HOST: Type.String({ default: '127.0.0.1', minLength: 1, description: 'Address to listen on.' }),
  COUNTERSIGN_PORT: integer(0, 65_535, 8080, 'Port to listen on; 0 picks a free one.'),
  COUNTERSIGN_STORE: Type.String({
    default: 'embedded',
    pattern: '^(embedded|rediss?(\\+sentinel|\\+cluster)?://.+)$',
    description:
      '`embedded`, or redis://…, redis+sentinel://host:port,…/name, redis+cluster://host:port,…; each with TLS as rediss….'
  }),
  COUNTERSIGN_STORE_FILE: secretFile('STORE'),
  COUNTERSIGN_REDIS_CA: Type.Optional(
    Type.String({
      minLength: 1,
      description:
        'PEM file of the authorities that sign the certificates of Redis and Sentinel. Default: the public ones.'
    })
  ),
  COUNTERSIGN_SENTINEL_PASSWORD: Type.Optional(
    Type.String({ minLength: 1, description: 'Password of the sentinels; the one in the URL is that of Redis.' })
  ),
  COUNTERSIGN_SENTINEL_PASSWORD_FILE: secretFile('SENTINEL_PASSWORD'),
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
  COUNTERSIGN_MASTER_KEY_FILE: secretFile('MASTER_KEY'),
  COUNTERSIGN_ADMIN_TOKEN: Type.Optional(
    Type.String({
      pattern: adminTokenPattern,
      description: '32 to 4,096 printable ASCII characters, the first and the last no space. Required with Redis.'
    })
  ),
  COUNTERSIGN_ADMIN_TOKEN_FILE: secretFile('ADMIN_TOKEN'),
  COUNTERSIGN_METRICS_TOKEN: Type.Optional(
    Type.String({
      pattern: '^[!-~]{16,256}$',
      description: '16 to 256 printable characters: when set, /metrics wants them as its bearer token.'
    })
  ),
  COUNTERSIGN_METRICS_TOKEN_FILE: secretFile('METRICS_TOKEN'),
  COUNTERSIGN_LOG_LEVEL: Type.Union(
    logLevels.map(level => Type.Literal(level)),
    { default: 'info', description: 'trace, debug, info, warn, error, fatal or silent.' }
  ),
  COUNTERSIGN_WORKERS: Type.String({
    default: '1',
    pattern: workers.source,
    description: `1 to ${maxWorkers}, or \`auto\`: processes that share the port, each an instance of its own. More than 1 needs Redis. \`auto\`: one per core, as far as there is memory; with the embedded store one.`
  }),
  COUNTERSIGN_RATE_LIMIT: Type.Union([Type.Literal('on'), Type.Literal('off')], {
    default: 'on',
    description:
      '`on`, or `off`, which disables every limit on rates, delays and counts per IP or client; size limits stay on.'
  }),
  COUNTERSIGN_TRUST_PROXY: Type.String({
    default: 'none',
    description: '`none`, or the addresses and CIDRs of proxies whose X-Forwarded-* headers are trusted.'
  }),
  COUNTERSIGN_ALLOWED_ORIGINS: Type.String({
    default: '',
    description:
      "`*`, or a list of browser origins; https://*.example.com means its subdomains. Empty allows the gateway's own origin and loopback pages."
  }),
  COUNTERSIGN_INSECURE_HTTP: Type.Union([Type.Literal('refuse'), Type.Literal('allow')], {
    default: 'refuse',
    description: '`refuse` or `allow` admin, ticket and token calls over plain HTTP from other machines.'
  }),
  COUNTERSIGN_TLS_CERT: Type.Optional(Type.String({ minLength: 1, description: 'PEM file of the certificate chain.' })),
  COUNTERSIGN_TLS_KEY: Type.Optional(Type.String({ minLength: 1, description: 'PEM file of its private key.' })),
  COUNTERSIGN_DRAIN_SECONDS: integer(
    0,
    3600,
    10,
    'Seconds that clients have to move to another instance when this process stops.'
  ),
  COUNTERSIGN_HEARTBEAT_INTERVAL_SECONDS: integer(
    1,
    3600,
    15,
    'Seconds between heartbeats, as announced in the welcome.'
  ),
  COUNTERSIGN_HEARTBEAT_TIMEOUT_SECONDS: integer(
    2,
    7200,
    45,
    'Seconds of silence after which a session ends. It must be longer than the heartbeat interval + 10.'
  ),
  COUNTERSIGN_BRIDGE_TIMEOUT_SECONDS: integer(
    30,
    7200,
    90,
    'Seconds without an exchange after which a bridge session ends.'
  ),
  COUNTERSIGN_LINGER_MS: integer(
    0,
    5000,
    50,
    'Milliseconds that a held poll waits after its first frame, to batch the frames that follow.'
  ),
  COUNTERSIGN_FRESH_CHALLENGE_SECONDS: integer(
    0,
    86_400,
    600,
    'Seconds between challenges in a session; 0 turns them off.'
  ),
  COUNTERSIGN_FRAME_BYTES: integer(4096, 1_048_576, 65_536, 'Largest frame, in bytes.'),
  COUNTERSIGN_MAX_SESSIONS: integer(1, 1_000_000, 100_000, 'Live sessions on one instance, of both transports.'),
  COUNTERSIGN_MAX_SESSIONS_PER_CLIENT: integer(
    1,
    1_000_000,
    10_000,
    'Live sessions of one client, on all instances together.'
  ),
  COUNTERSIGN_FAILED_HANDSHAKES_PER_MINUTE: integer(
    1,
    1_000_000,
    20,
    'Failed handshakes that one address may make per minute.'
  ),
  COUNTERSIGN_HANDSHAKES_PER_MINUTE: integer(
    1,
    1_000_000,
    1200,
    'Handshakes of one address that may succeed per minute. Those that are only started count for nothing.'
  ),
  COUNTERSIGN_FRAMES_PER_SECOND: integer(1, 1_000_000, 200, 'Frames that one session may send per second, on average.'),
  COUNTERSIGN_PENDING_BODY_BYTES: integer(
    8_388_608,
    4_294_967_296,
    67_108_864,
    'Bytes of request bodies that one instance holds at once; one client or address may hold an eighth.'
  ),
  COUNTERSIGN_CLIENT_BYTES_PER_SECOND: integer(
    65_536,
    1_073_741_824,
    4_194_304,
    'Bytes of data that one client may publish per second through one instance, on average.'
  ),
  COUNTERSIGN_CLIENT_HISTORY_BYTES: integer(
    0,
    68_719_476_736,
    0,
    'Bytes that the publications of one client may take in the histories of channels, on all instances together; 0: a quarter of what the embedded store keeps; with Redis an eighth of its `maxmemory`, 256 MiB at most.'
  ),
  COUNTERSIGN_CLIENT_CHANNELS: integer(
    1,
    10_000_000,
    20_000,
    'Channels that one client may create within the time for which unused channels are kept, on all instances together.'
  ),
  COUNTERSIGN_TOKEN_QUOTA_MULTIPLE: integer(
    1,
    1_000_000,
    16,
    'How many times the quotas of one client all tickets of one token may use together, whatever their clientIds; half of what the store keeps at most.'
  ),
  COUNTERSIGN_PRESENCE: Type.String({
    default: 'none',
    description:
      '`none`, or the channels whose members are recorded: a list of patterns, each literal with at most one final `*`.'
  }),
  COUNTERSIGN_AUDIT_DAYS: integer(
    0,
    36_500,
    0,
    'Days for which entries of the audit log are kept; 0 keeps all of them. Older ones are cut at the start and hourly.'
  ),
  COUNTERSIGN_HISTORY_SIZE: integer(1, 65_536, 1024, 'Publications that a channel keeps for recovery.'),
  COUNTERSIGN_HISTORY_SECONDS: integer(1, 86_400, 300, "Seconds that a publication is kept in its channel's history.")
})

export type Settings = Static<typeof settingsSchema>
