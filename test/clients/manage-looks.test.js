import { test } from 'node:test'
import { Look } from './helpers/looks.js'
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

for (const look of Look.all) {
  test(`every page, ${look.name}`, t => takePictures(t, office, people, look))
}
