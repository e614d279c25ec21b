import assert from 'node:assert/strict'
import { join } from 'node:path'
import { noViolations } from './axe.js'
import { screenshots } from './browser.js'

/** A size of window and a colour scheme in which pages are looked at. */
export class Look {
  /**
   * @param {'desktop' | 'phone'} size
   * @param {'light' | 'dark'} colorScheme
   */
  constructor(size, colorScheme) {
    this.name = `${size} in ${colorScheme}`
    this.file = `${size}-${colorScheme}`
    const phone = size === 'phone'
    this.viewport = phone ? { width: 390, height: 844 } : { width: 1280, height: 800 }
    this.options = { viewport: this.viewport, colorScheme, hasTouch: phone }
  }

  /** All of them. */
  static all = [
    new Look('desktop', 'light'),
    new Look('desktop', 'dark'),
    new Look('phone', 'light'),
    new Look('phone', 'dark'),
  ]

  /**
   * Takes a picture, lets axe-core look at the page, and fails when it is wider
   * than the window.
   *
   * @param {import('playwright-core').Page} page
   * @param {string} name
   */
  async check(page, name) {
    await page.screenshot({ path: join(screenshots, `${name}-${this.file}.png`) })
    await noViolations(page, `${name}, ${this.name}`)
    const wide = await page.evaluate(() => document.documentElement.scrollWidth)
    assert.ok(wide <= this.viewport.width, `${name}: ${wide} px of content`)
  }
}
