import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

/** The system's Chromium; BELFRY_CHROMIUM names another. */
const executablePath = process.env.BELFRY_CHROMIUM ?? '/usr/bin/chromium'

/** Where screenshots go; not committed. */
export const screenshots = fileURLToPath(new URL('../../../screenshots/', import.meta.url))

const args = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/**
 * Starts a browser for a whole file of tests; each takes a context of its own,
 * which shares no cookies with the others.
 */
export async function launchBrowser() {
  await mkdir(screenshots, { recursive: true })
  return chromium.launch({ executablePath, headless: true, args })
}

/**
 * Opens a tab that shares nothing with others, until the test ends. Faults of the
 * page fail the test at its end; what the browser notes of refusals and lost
 * connections is no fault, since they are part of tests.
 *
 * @param {import('node:test').TestContext} t
 * @param {import('playwright-core').Browser} browser
 * @param {{fine?: RegExp} & import('playwright-core').BrowserContextOptions} [options]
 *   fine: which errors in the console are no faults
 */
export async function openPage(t, browser, options = {}) {
  const { fine = /^(Failed to load|WebSocket)/, ...rest } = options
  const context = await browser.newContext({ reducedMotion: 'reduce', ...rest })
  t.after(() => context.close())
  const page = await context.newPage()
  /** @type {string[]} */
  const faults = []
  page.on('pageerror', error => faults.push(String(error)))
  page.on('console', message => {
    if (message.type() === 'error' && !fine.test(message.text())) faults.push(message.text())
  })
  t.after(() => assert.deepEqual(faults, []))
  return page
}

/**
 * Opens a browser with a profile of its own that is gone afterwards.
 *
 * @param {import('playwright-core').BrowserContextOptions} [options]
 */
export async function openBrowser(options = {}) {
  await mkdir(screenshots, { recursive: true })
  const profile = await mkdtemp(join(tmpdir(), 'belfry-browser-'))
  const context = await chromium.launchPersistentContext(profile, {
    executablePath,
    headless: true,
    args,
    ...options,
  })
  return {
    context,
    async close() {
      await context.close()
      await rm(profile, { recursive: true, force: true })
    },
  }
}
