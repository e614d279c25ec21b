import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'

/** @typedef {[number, number, number]} Triple */

/**
 * How people see who lack one kind of cones: by linear red, green and blue, after
 * Machado, Oliveira and Fernandes (2009), severity 1.
 *
 * @type {Record<string, Triple[]>}
 */
const sights = {
  all: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  'no red': [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  'no green': [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  'no blue': [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
}

/** @param {Triple[]} rows @param {Triple} v @returns {Triple} */
const times = (rows, v) =>
  /** @type {Triple} */ (rows.map(([a, b, c]) => a * v[0] + b * v[1] + c * v[2]))

/** A colour by linear light. @param {string} hex @returns {Triple} */
const linear = hex =>
  /** @type {Triple} */ (
    [1, 3, 5].map(at => {
      const c = Number.parseInt(hex.slice(at, at + 2), 16) / 255
      return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4
    })
  )

/** Where distances are those that eyes see: OKLab. @param {Triple} light @returns {Triple} */
function perceived(light) {
  const cones = times(
    [
      [0.4122214708, 0.5363325363, 0.0514459929],
      [0.2119034982, 0.6806995451, 0.1073969566],
      [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    /** @type {Triple} */ (light.map(c => Math.min(1, Math.max(0, c)))),
  )
  return times(
    [
      [0.2104542553, 0.793617785, -0.0040720468],
      [1.9779984951, -2.428592205, 0.4505937099],
      [0.0259040371, 0.7827717662, -0.808675766],
    ],
    /** @type {Triple} */ (cones.map(Math.cbrt)),
  )
}

/** @param {string} hex */
const luminance = hex => times([[0.2126, 0.7152, 0.0722]], linear(hex))[0]

/** The contrast that WCAG measures. @param {string} a @param {string} b */
function contrast(a, b) {
  const [low = 0, high = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y)
  return (high + 0.05) / (low + 0.05)
}

/** The values of custom properties, first those for light, then those for dark. */
async function tokens(/** @type {string} */ file, /** @type {RegExp} */ names) {
  const css = await readFile(new URL(`../../ui/src/${file}`, import.meta.url), 'utf8')
  const dark = css.indexOf('prefers-color-scheme: dark')
  return [css.slice(0, dark), css.slice(dark)].map(part =>
    [...part.matchAll(names)].map(([, value]) => String(value)),
  )
}

test('colours: those of charts stay apart for colour-blind people, and stand out from a card', async () => {
  const charts = await tokens('app/kit/chart/chart.css', /--chart-\d: (#[0-9a-f]{6})/g)
  const cards = await tokens('style/tokens.css', /--card: (#[0-9a-f]{6})/g)
  for (const [index, scheme] of ['light', 'dark'].entries()) {
    const colours = charts[index] ?? []
    const card = cards[index]?.[0] ?? ''
    assert.equal(colours.length, 9)
    for (const colour of colours) {
      const found = contrast(colour, card)
      assert.ok(found >= 3, `${scheme}: ${colour} has a contrast of ${found.toFixed(2)} on ${card}`)
    }
    for (const [sight, rows] of Object.entries(sights)) {
      const seen = colours.map(colour => perceived(times(rows, linear(colour))))
      seen.forEach((one, a) => {
        seen.slice(0, a).forEach((other, b) => {
          const apart = Math.hypot(one[0] - other[0], one[1] - other[1], one[2] - other[2])
          // What can just be told from each other is about 0.02 apart.
          assert.ok(
            apart > 0.09,
            `${scheme}, ${sight}: ${colours[b]} and ${colours[a]} are ${apart.toFixed(3)} apart`,
          )
        })
      })
    }
  }
})
