import { pino, stdTimeFunctions, type Logger } from 'pino'

export type Log = Logger

/** One JSON line per event; ids only, never people or secrets (R37). */
export const createLog = (level: string, service: string): Log =>
  pino({
    level,
    base: { service },
    timestamp: stdTimeFunctions.isoTime,
    redact: {
      paths: ['password', 'secret', 'authorization', '*.password', '*.secret', 'req.headers.authorization'],
      remove: true,
    },
  })
