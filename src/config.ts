import { isIP } from 'node:net'
import { z } from 'zod'
import { retrySeconds } from './domain/alert.ts'
import { mailRetrySeconds } from './domain/delivery.ts'

const port = z.coerce.number().int().min(0).max(65535)
const Seconds = z
  .string()
  .regex(/^\d+(\.\d+)?(,\d+(\.\d+)?){0,49}$/, { error: 'expected up to 50 numbers, separated by commas' })
  .transform((text) => text.split(',').map(Number))
const SecretKeys = z.string().regex(/^[\w-]{1,32}:[A-Za-z0-9+/]{43}=(,[\w-]{1,32}:[A-Za-z0-9+/]{43}=)*$/, {
  error: 'expected id:key[,id:key…], each key 32 bytes in base64; the first encrypts, all decrypt',
})

const namedNetworks: ReadonlySet<string> = new Set(['loopback', 'linklocal', 'uniquelocal'])

const isNetwork = (said: string): boolean => {
  const [address = '', bits, ...rest] = said.split('/')
  if (bits === undefined && namedNetworks.has(said)) return true
  const version = isIP(address)
  const isPrefix =
    bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) >= 1 && Number(bits) <= (version === 4 ? 32 : 128))
  return version !== 0 && isPrefix && rest.length === 0
}

/** Every variable Fairlead reads, with its default. `.env.example` lists the same names; a test keeps them equal. */
export const variables = {
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).default('postgres://fairlead:fairlead@127.0.0.1:5432/fairlead'),
  DATABASE_POOL: z.coerce.number().int().min(4).max(100).default(12),
  TEMPORAL_ADDRESS: z.string().default('127.0.0.1:7233'),
  TEMPORAL_NAMESPACE: z.string().default('default'),
  /** several installations may share a namespace, each with a queue of its own */
  TEMPORAL_TASK_QUEUE: z
    .string()
    .regex(/^[\w-]{1,100}$/)
    .default('fairlead'),
  TEMPORAL_UI_URL: z.url().default('http://127.0.0.1:8233'),
  FAIRLEAD_SECRET_KEYS: SecretKeys.optional(),
  FAIRLEAD_DATA_DIR: z.string().default('.fairlead'),
  FAIRLEAD_WORKFLOW_BUNDLE: z.string().optional(),
  HOST: z.string().default('127.0.0.1'),
  PORT: port.default(8080),
  /** proxies whose X-Forwarded-For is believed: addresses or networks, separated by commas */
  TRUSTED_PROXIES: z
    .string()
    .refine((text) => text.split(',').every((each) => isNetwork(each.trim())), {
      error: 'expected addresses or networks such as 10.0.0.0/8, separated by commas',
    })
    .optional(),
  METRICS_HOST: z.string().default('127.0.0.1'),
  METRICS_PORT: port.default(0),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  CRM_ALLOWED_HOSTS: z.string().default('*'),
  CRM_TIMEOUT_MS: z.coerce.number().int().min(1000).max(600_000).default(30_000),
  CRM_LATE_MS: z.coerce.number().int().min(0).max(3_600_000).default(60_000),
  SMTP_URL: z.url({ protocol: /^smtps?$/ }).optional(),
  SMTP_CONNECTIONS: z.coerce.number().int().min(1).max(100).default(5),
  /** mails of each worker; 0: as many as the server takes */
  SMTP_RATE_PER_SECOND: z.coerce.number().min(0).max(10_000).default(0),
  SMTP_TIMEOUT_MS: z.coerce.number().int().min(1000).max(3_600_000).default(300_000),
  MAIL_RETRY_SECONDS: Seconds.default(mailRetrySeconds),
  MAIL_FROM: z.string().default('Fairlead <fairlead@localhost>'),
  PUBLIC_URL: z.url({ protocol: /^https?$/ }).optional(),
  WEBHOOK_ALLOWED_HOSTS: z.string().default('*'),
  ALERT_RETRY_SECONDS: Seconds.default(retrySeconds),
  UPLOAD_MAX_BYTES: z.coerce.number().int().min(1024).max(1_099_511_627_776).default(2_147_483_648),
  POSTGRES_PORT: port.optional(),
  TEMPORAL_PORT: port.optional(),
  TEMPORAL_UI_PORT: port.optional(),
  SIMULATOR_PORT: port.optional(),
  SMTP_PORT: port.optional(),
  MAIL_UI_PORT: port.optional(),
  TEMPORAL_CLI: z.string().optional(),
  CHROMIUM: z.string().optional(),
}

const Config = z.object(variables)
export type Config = z.infer<typeof Config>

/** Reads the environment; a wrong value is an Error that names every variable at fault and what it expects. */
export const readConfig = (env: Record<string, string | undefined> = process.env): Config => {
  const present = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''))
  const parsed = Config.safeParse(present)
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
  throw new Error(`The configuration is not valid. ${problems.join('; ')}. See .env.example.`)
}
