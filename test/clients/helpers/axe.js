import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

const source = fileURLToPath(new URL('../node_modules/axe-core/axe.min.js', import.meta.url))

/**
 * Fails when axe-core finds anything against accessibility on the page as it is.
 *
 * @param {import('playwright-core').Page} page
 * @param {string} [what] of the page, for the failure
 */
export async function noViolations(page, what = page.url()) {
  // Not as a script of the page, which its policy would forbid.
  await page.evaluate(await readFile(source, 'utf8'))
  const found = await page.evaluate(async () => {
    const { violations } = await /** @type {any} */ (window).axe.run(document, {
      resultTypes: ['violations'],
    })
    return violations.map((/** @type {any} */ { id, help, nodes }) => ({
      id,
      help,
      nodes: nodes.slice(0, 5).map((/** @type {any} */ node) => [node.html, node.failureSummary]),
    }))
  })
  assert.deepEqual(found, [], `axe-core on ${what}`)
}
