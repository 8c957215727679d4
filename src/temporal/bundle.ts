import { bundleWorkflowCode } from '@temporalio/worker'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { workflowsPath } from './worker.ts'

/** Makes the workflow bundle that production workers use: `npm run bundle -- dist/workflows.js`. */
const path = process.argv[2] ?? 'dist/workflows.js'
const { code } = await bundleWorkflowCode({ workflowsPath })
await mkdir(dirname(path), { recursive: true })
await writeFile(path, code)
process.stdout.write(`${path}: ${code.length} characters\n`)
