import type { ReactNode } from 'react'
import { Link } from 'wouter'
import { pathOf, useBoards } from './useBoards'

/** Leads to the other dashboards, where there are some. */
export function Others(props: { name: string }): ReactNode {
  const boards = useBoards() ?? []
  if (boards.length < 2) return null
  return (
    <nav className="board-others" aria-label="Dashboards">
      {boards.map(({ name, title }) => (
        <Link
          key={name}
          href={pathOf(name)}
          aria-current={name === props.name ? 'page' : undefined}
        >
          {title}
        </Link>
      ))}
    </nav>
  )
}
