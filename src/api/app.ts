import helmet from '@fastify/helmet'
import rateLimit from '@fastify/rate-limit'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import underPressure from '@fastify/under-pressure'
import { fastify, LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify'
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import { randomUUID } from 'node:crypto'
import { FairleadError } from '../domain/errors.ts'
import { accountRoutes } from './account.ts'
import { alertRoutes } from './alert.ts'
import { apiKeyRoutes } from './apiKey.ts'
import { auditRoutes } from './audit.ts'
import { requireKeys, type Limits } from './auth.ts'
import { columnRoutes } from './column.ts'
import { connectionRoutes } from './connection/routes.ts'
import { decisionRoutes } from './decision/routes.ts'
import { deliveryReportRoutes } from './delivery/reportRoutes.ts'
import { deliveryRoutes } from './delivery/routes.ts'
import { documentOptions } from './document.ts'
import { erasureRoutes } from './erasure/routes.ts'
import { sendProblem } from './errors.ts'
import { fieldRoutes } from './field.ts'
import { folderRoutes } from './folder.ts'
import { formPageRoutes, type PageOptions } from './form/pageRoutes.ts'
import { isPageUrl, sendPageFailure } from './form/pageSend.ts'
import { formRoutes } from './form/routes.ts'
import { noteRoutes } from './note/routes.ts'
import { submissionFileRoutes } from './form/download.ts'
import { submissionRoutes } from './form/submissions.ts'
import { healthRoutes } from './health.ts'
import { importRoutes } from './import.ts'
import { listRoutes } from './list.ts'
import { logAnswers } from './log.ts'
import { messageRoutes } from './message/routes.ts'
import { messageSendRoutes } from './message/send.ts'
import { messageTestRoutes } from './message/test.ts'
import { addMetrics } from './metrics.ts'
import { isMailUrl, previewPageRoutes } from './preview/pageRoutes.ts'
import { sendPageFailure as sendMailPageFailure } from './preview/pageSend.ts'
import { previewRoutes } from './preview/routes.ts'
import { addProblemsPage } from './problems.ts'
import { quarantineRoutes } from './quarantine/routes.ts'
import { bulkRoutes } from './record/bulk.ts'
import { duplicateRoutes } from './record/duplicates.ts'
import { createGate } from './record/gate.ts'
import { recordRoutes } from './record/read.ts'
import type { Searching } from './record/search.ts'
import { timelineRoutes } from './record/timeline.ts'
import { recordWriteRoutes } from './record/write.ts'
import { runControlRoutes } from './run/control.ts'
import { runUndoRoutes } from './run/undo.ts'
import { entryRoutes } from './run/entry.ts'
import { eventRoutes } from './run/events.ts'
import { ledgerRoutes } from './run/ledger.ts'
import { runRoutes } from './run/read.ts'
import { retryRoutes } from './run/retry.ts'
import { scheduleRoutes } from './schedule/routes.ts'
import { segmentPeopleRoutes } from './segment/people.ts'
import { segmentRoutes } from './segment/routes.ts'
import { segmentSyncRoutes } from './segment/sync.ts'
import type { Services } from './services.ts'
import { refuseBroken, refuseBrokenHeaders } from './socket.ts'
import { refuseMethods, refuseSurprises } from './strict.ts'
import { standardFieldRoutes } from './standardField/routes.ts'
import { suppressionRoutes } from './suppression/routes.ts'
import { syncRoutes } from './sync.ts'
import { downloadRoutes } from './upload/download.ts'
import { unsubscribePageRoutes } from './unsubscribe/pageRoutes.ts'
import { uploadRoutes } from './upload/routes.ts'
import { webhookDeliveryRoutes } from './webhook/deliveries.ts'
import { webhookRoutes } from './webhook/routes.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** how long an answer may wait for the CRM */
    waitMs: number
    /** how often a watched run is looked at */
    watchMs: number
    /** the largest file that can be uploaded */
    uploadBytes: number
    /** aborted when the API closes: whoever waits answers at once */
    stopping: AbortSignal
    searching: Searching
  }
}

export type AppOptions = {
  waitMs?: number
  watchMs?: number
  searchMs?: number
  uploadBytes?: number
  limits?: Partial<Limits>
  pages?: PageOptions
  /** addresses and networks of proxies that say where a request comes from; none: whoever connects is who asks */
  trustedProxies?: string | undefined
}

const plugins = [
  accountRoutes,
  apiKeyRoutes,
  auditRoutes,
  connectionRoutes,
  fieldRoutes,
  standardFieldRoutes,
  importRoutes,
  folderRoutes,
  listRoutes,
  columnRoutes,
  syncRoutes,
  recordRoutes,
  recordWriteRoutes,
  timelineRoutes,
  bulkRoutes,
  duplicateRoutes,
  segmentRoutes,
  segmentPeopleRoutes,
  scheduleRoutes,
  segmentSyncRoutes,
  suppressionRoutes,
  erasureRoutes,
  uploadRoutes,
  downloadRoutes,
  runRoutes,
  runControlRoutes,
  runUndoRoutes,
  entryRoutes,
  eventRoutes,
  ledgerRoutes,
  retryRoutes,
  quarantineRoutes,
  decisionRoutes,
  formRoutes,
  submissionRoutes,
  submissionFileRoutes,
  previewRoutes,
  messageRoutes,
  messageTestRoutes,
  messageSendRoutes,
  deliveryRoutes,
  deliveryReportRoutes,
  noteRoutes,
  alertRoutes,
  webhookRoutes,
  webhookDeliveryRoutes,
]

const limits: Limits = { perKey: 30_000, refusedPerAddress: 300 }

const signalClosing = (app: FastifyInstance): AbortSignal => {
  const stopping = new AbortController()
  app.addHook('preClose', async () => stopping.abort())
  return stopping.signal
}

const failureSender = (url: string): typeof sendProblem =>
  isPageUrl(url) ? sendPageFailure : isMailUrl(url) ? sendMailPageFailure : sendProblem

/** The whole API, ready to listen or to be injected into. Closing it ends its event streams; the services stay open. */
export const buildApp = async (services: Services, options: AppOptions = {}): Promise<FastifyInstance> => {
  const app = fastify({
    loggerInstance: services.log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    bodyLimit: 1024 * 1024,
    genReqId: () => randomUUID(),
    clientErrorHandler: (error, socket) => refuseBroken(services.log, error, socket),
    // Node's own answer has no body; refuseBrokenHeaders gives it one.
    http: { requireHostHeader: false },
    frameworkErrors: (error, request, reply) => void failureSender(request.url)(error, request, reply),
    trustProxy: options.trustedProxies ?? false,
    forceCloseConnections: 'idle',
  }).withTypeProvider<ZodTypeProvider>() as unknown as FastifyInstance
  app.decorate('waitMs', options.waitMs ?? 20_000)
  app.decorate('watchMs', options.watchMs ?? 1000)
  app.decorate('uploadBytes', options.uploadBytes ?? 2 * 1024 ** 3)
  app.decorate('stopping', signalClosing(app))
  app.decorate('searching', { gate: createGate(4, 40), budgetMs: options.searchMs ?? 850 })
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.setErrorHandler(sendProblem)
  app.setNotFoundHandler(() => {
    throw new FairleadError('notFound', { detail: 'There is no such address.', remedy: 'See /docs.' })
  })

  const routes = new Map<string, Set<string>>()
  app.addHook('onRoute', ({ url, method }) => {
    if (!url.startsWith('/v1/')) return
    const known = routes.get(url) ?? new Set()
    routes.set(url, new Set([...known, ...[method].flat()]))
  })
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id)
    if (request.url.startsWith('/v1/')) reply.header('cache-control', 'no-store')
  })
  refuseBrokenHeaders(app)
  refuseSurprises(app)
  logAnswers(app)

  await app.register(helmet, {
    contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } },
    strictTransportSecurity: false,
  })
  await app.register(rateLimit, { global: false })
  await app.register(swagger, documentOptions)
  await app.register(swaggerUi, { routePrefix: '/docs', uiConfig: { validatorUrl: null } })

  addProblemsPage(app)
  addMetrics(app, services.db)
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger())
  await app.register(healthRoutes, services)
  await app.register(
    async (v1) => {
      await v1.register(underPressure, {
        maxEventLoopDelay: 2000,
        // a loop that was held up for a whole interval counts as infinitely late: one such second is no overload
        sampleInterval: 5000,
        pressureHandler: async () => {
          throw new FairleadError('overloaded', { retryAfterMs: 10_000 })
        },
      })
      requireKeys(v1, services, { ...limits, ...options.limits })
      for (const plugin of plugins) await v1.register(plugin, services)
    },
    { prefix: '/v1' },
  )
  await app.register(formPageRoutes, { prefix: '/f', ...services, ...options.pages })
  await app.register(previewPageRoutes, { prefix: '/p', ...services })
  await app.register(unsubscribePageRoutes, { prefix: '/u', ...services })
  refuseMethods(app, routes)
  return app
}
