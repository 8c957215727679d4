import { env } from 'node:process'

/** What `readConfig` cannot say: whether a variable with a default was set by the person who starts. */
export const isSet = (name: string): boolean => (env[name] ?? '') !== ''

/** Children inherit everything (proxies, certificates, Temporal's own variables) under what this start decided. */
export const environmentFor = (decided: Record<string, string>): NodeJS.ProcessEnv => ({ ...env, ...decided })
