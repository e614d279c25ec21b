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
