// Prints how large each entry is, minified and with gzip, and fails when the
// manager is larger than a page should have to load.
import { gzipSync } from 'node:zlib'
import { build } from 'vite'

const limits = {
  'dist/index.js': 12_500,
  'dist/react/index.js': 14_000,
  'dist/dashboard/core.js': 6_500,
  'dist/dashboard/index.js': 7_000,
  'dist/reporter/index.js': 2_000,
}

for (const [entry, limit] of Object.entries(limits)) {
  const [{ output }] = await build({
    configFile: false,
    logLevel: 'warn',
    build: {
      write: false,
      minify: true,
      target: 'es2022',
      lib: { entry, formats: ['es'] },
      rolldownOptions: {
        external: ['react', 'react/jsx-runtime'],
        output: { minify: true },
      },
    },
  })
  const code = output.map(({ code = '' }) => code).join('')
  const size = gzipSync(code).length
  console.log(`${entry}: ${code.length} bytes, ${size} with gzip (at most ${limit})`)
  if (size > limit) process.exitCode = 1
}
