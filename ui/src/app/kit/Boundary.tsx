import { Component, type ReactNode } from 'react'
import { Failed } from './States'

/** Keeps a fault in one page from taking the frame around it away. */
export class Boundary extends Component<{ children: ReactNode }, { problem: unknown }> {
  override state = { problem: undefined as unknown }

  static getDerivedStateFromError(problem: unknown): { problem: unknown } {
    return { problem }
  }

  override render(): ReactNode {
    if (this.state.problem === undefined) return this.props.children
    return <Failed problem={this.state.problem} again={() => location.reload()} />
  }
}
