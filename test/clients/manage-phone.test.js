import { test } from 'node:test'
import { Office } from './helpers/office.js'
import { takePictures } from './helpers/pictures.js'

/** @type {import('./helpers/people.js').Person[]} */
let people

const office = Office.forTests(async office => {
  people = [
    await office.add('ada@example.com', 'Ada Lovelace', 'crew'),
    await office.add('bob@example.com', 'Bob Moran', 'crew'),
  ]
  await office.add('cyd@example.net', 'Cyd Kern', 'crew', 'guest')
})

const viewport = { width: 390, height: 844 }
for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
  test(`the pages on a phone in ${colorScheme}`, t =>
    takePictures(t, office, people, { size: 'phone', viewport, colorScheme }))
}
