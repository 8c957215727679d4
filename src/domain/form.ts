export * from './form/definition.ts'
export * from './form/submission.ts'
