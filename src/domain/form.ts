export * from './form/definition.ts'
export * from './form/submission.ts'
export * from './form/values.ts'
