import { buildApp } from './api/app.ts'
import { readConfig } from './config.ts'
import { migrate } from './db/database.ts'
import { exitWithParent } from './embedded/parent.ts'
import { createHostGuard } from './http/host.ts'
import { compileMessage } from './mail/render.ts'
import { wire } from './wiring.ts'

/** The API alone. SIGTERM: answers what is under way, then ends. */
const config = readConfig()
const { db, secrets, flows, log, relay, close } = await wire(config, 'api')
await migrate(config.DATABASE_URL)
const services = {
  db,
  secrets,
  relay,
  engineReady: () => flows.ready(),
  temporalUiUrl: config.TEMPORAL_UI_URL,
  temporalNamespace: config.TEMPORAL_NAMESPACE,
  checkWebhookHost: createHostGuard(config.WEBHOOK_ALLOWED_HOSTS),
  mailConfigured: config.SMTP_URL !== undefined,
  compileMessage,
  publicUrl: config.PUBLIC_URL?.replace(/\/+$/, '') ?? null,
  log,
}
const app = await buildApp(services, {
  uploadBytes: config.UPLOAD_MAX_BYTES,
  trustedProxies: config.TRUSTED_PROXIES,
})

const stop = (): void => {
  void app
    .close()
    .then(close)
    .then(() => process.exit(0))
}
process.once('SIGTERM', stop)
process.once('SIGINT', stop)
exitWithParent()

await app.listen({ host: config.HOST, port: config.PORT })
