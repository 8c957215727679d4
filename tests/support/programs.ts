import { build as bundle, type Plugin } from 'esbuild'
import { mkdirSync, symlinkSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { inject } from 'vitest'

const entries = { worker: 'worker.ts', api: 'src/serve.ts', admin: 'src/admin.ts', simulator: 'src/simulator/main.ts' }

/** What lies beside a file, such as the migrations, is still found there. */
const ownAddresses: Plugin = {
  name: 'own-addresses',
  setup(build) {
    build.onLoad({ filter: /\.ts$/ }, async ({ path }) => ({
      contents: (await readFile(path, 'utf8')).replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href)),
      loader: 'ts',
    }))
  },
}

/**
 * Makes one file of each program, for the whole run: hundreds of files that are compiled at each start take three times the processor.
 * Packages stay outside; `npm start` is tested as it is.
 */
export const bundlePrograms = async (folder: string): Promise<void> => {
  mkdirSync(folder)
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'), 'junction')
  await bundle({
    entryPoints: entries,
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'error',
    plugins: [ownAddresses],
  })
}

export const program = (name: keyof typeof entries): string => join(inject('programs'), `${name}.mjs`)
