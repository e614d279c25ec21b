import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'

const home = process.cwd()
const folder = join(home, 'test', 'readme')

afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('the examples of the README are TypeScript that fits', { timeout: 60_000 }, () => {
  const text = readFileSync(join(home, 'README.md'), 'utf8')
  const examples = [...text.matchAll(/^```(tsx?)\n(.*?)^```$/gms)]
  expect(examples.length).toBeGreaterThanOrEqual(3)
  mkdirSync(folder, { recursive: true })
  examples.forEach(([, kind, code], index) => {
    writeFileSync(join(folder, `example${index}.${kind}`), `${code}\nexport {}\n`)
  })
  writeFileSync(join(folder, 'css.d.ts'), "declare module '*.css'\n")
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({
      extends: '../../tsconfig.json',
      compilerOptions: { noUnusedLocals: false },
      include: ['.'],
      exclude: [],
    }),
  )
  let said = ''
  try {
    execFileSync(join(home, 'node_modules', '.bin', 'tsc'), ['-p', folder], { encoding: 'utf8' })
  } catch (error) {
    said = String((error as { stdout?: string }).stdout ?? error)
  }
  expect(said).toBe('')
})
