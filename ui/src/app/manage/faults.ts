import { Refusal } from '../../request'
import { fields } from './draft'

/** What is wrong with single fields, by their names in the API. */
export type Faults = Readonly<Record<string, string>>

/** What a refusal says of fields that the form has, and what is left to say. */
export function faultsOf(problem: unknown): { faults: Faults; rest: string } {
  if (!(problem instanceof Refusal) || Object.keys(problem.fields).length === 0) {
    return { faults: {}, rest: problem instanceof Error ? problem.message : '' }
  }
  const faults: Record<string, string> = {}
  const rest: string[] = []
  for (const [name, text] of Object.entries(problem.fields)) {
    const field = fieldOf(name)
    if (field === undefined) rest.push(`${name}: ${text}`)
    else faults[field] ??= text
  }
  return { faults, rest: rest.join(' ') }
}

/** The form's field that a name belongs to: "target.users[2]" is of "target". */
function fieldOf(name: string): string | undefined {
  return fields.find(field => name === field.name || name.startsWith(`${field.name}.`))?.name
}

/** The first field with a fault, as they stand on the page. */
export function firstOf(faults: Faults): string | undefined {
  return fields.find(({ name }) => faults[name] !== undefined)?.name
}
